"""What a training is: everything that decides the weights, apart from the images and the first weights."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from synthgen.config.model import FrozenModel
from synthgen.diffusion.training.presets import PRESETS, Prediction, PresetName, Variance, require_size
from synthgen.errors import InputError
from synthgen.images.preparation import Side

_OF_PRESET: Any = None
"""Stands for the preset's own value, which takes its place when the model is validated."""


class TrainingSettings(FrozenModel):
    """A training's settings; batch, learning_rate, prediction and variance are the preset's unless given.

    Raises InputError for sizes that the network cannot take or the images do not have.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    preset: PresetName = "tiny"
    """The network: tiny (for a CPU), small (for a GPU), base (finer, slower) or adm (as published)."""
    size: Annotated[int, Field(ge=16, le=1024)] = 64
    """Side of the square images that the model makes, pixels."""
    view: Literal["image", "patch"] = "image"
    """Whether the model sees whole images, resized, or patches of them at their own scale."""
    image_size: tuple[Side, Side] = (256, 256)
    """Height and width of the images that patches are cut from; as in the recipes that will use the model."""
    batch: Annotated[int, Field(ge=1, le=4096)] = _OF_PRESET
    """Images of a batch, on each device."""
    accumulate: Annotated[int, Field(ge=1, le=4096)] = 1
    """Batches whose gradients are summed for one update."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = _OF_PRESET
    """Step size of the optimiser, once it is warm."""
    warm_up: Annotated[int, Field(ge=0)] = 100
    """Updates over which the learning rate rises to its value."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Decides the first weights, the order of the images, and the noise."""
    flips: Literal["none", "horizontal", "vertical", "both"] = "none"
    """Mirror images that are as normal as the images themselves."""
    shift: Annotated[int, Field(ge=0, le=256)] = 0
    """Pixels by which a whole image may be moved in each direction; its border is mirrored."""
    prediction: Prediction = _OF_PRESET
    """What the network predicts: the noise, v (Salimans & Ho, ICLR 2022), or the image."""
    variance: Variance = _OF_PRESET
    """The reverse process's variance: the posterior's, or learned (Nichol & Dhariwal, ICML 2021)."""
    min_snr: Annotated[float, Field(gt=0)] | Literal["none"] = 5.0
    """Bound of the loss weight (Min-SNR, Hang et al., ICCV 2023); none weights all noise levels alike."""
    label_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the images of a class-conditional model that are shown without their category."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    """Most that the averaged weights keep of themselves in an update; fewer updates keep less."""
    clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient."""
    precision: Literal["no", "fp16", "bf16"] = "no"
    """Mixed precision of the network; no is float32 throughout."""

    @property
    def packing(self) -> int:
        """Side of the squares of pixels that are packed into channels before the network."""
        return PRESETS[self.preset].packing

    @model_validator(mode="after")
    def _as_the_preset(self) -> Self:
        for name in ("batch", "learning_rate", "prediction", "variance"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(PRESETS[self.preset], name))
        return self

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        require_size(self.preset, self.size)
        height, width = self.image_size
        if self.view == "patch" and self.size > min(height, width):
            raise InputError(
                f"size {self.size}: patches cannot be larger than the images of {width} x {height} pixels "
                "that they are cut from; give a smaller size or a larger image_size"
            )
        return self

"""What a pre-training is: everything that decides the weights, apart from the images and the recipe."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from synthgen.config.model import FrozenModel
from synthgen.detectors.common.backbones import BackboneName
from synthgen.errors import InputError
from synthgen.runtime.acceleration import Precision

Base = Literal["simclr", "moco", "simsiam"]
Term = Literal["contrast", "margin", "none"]

RATE, RATE_FROM_RANDOM = 0.01, 0.05
"""Learning rates for trained and for random first weights."""

_BY_FIRST_WEIGHTS: Any = None
"""Stands for the rate that goes with the first weights, which takes its place in the validation."""


class PretrainingSettings(FrozenModel):
    """A pre-training's settings. Raises InputError for a batch that cannot be cut as it is asked for."""

    model_config = ConfigDict(allow_inf_nan=False)

    base: Base = "simclr"
    """What makes two global views of an image alike: simclr, moco (v2) or simsiam."""
    spd: Term = "contrast"
    """The form of the term that tells an image from its locally changed copy; none trains the base alone."""
    weight: Annotated[float, Field(ge=0, le=100)] = 1.0
    """What the term weighs beside the base's loss."""
    temperature: Annotated[float, Field(gt=0, le=10)] = 0.1
    """Of spd: contrast."""
    margin: Annotated[float, Field(gt=0, le=2)] = 0.1
    """Of spd: margin, by which the weakly changed view is to be the more similar one."""
    spd_on: Literal["features", "projection"] = "features"
    """What the term compares: the backbone's mean features, or the base's projection of them."""
    backbone: BackboneName = "efficientnet_lite0"
    """The network that is trained."""
    stage: Annotated[int, Field(ge=1, le=4)] = 3
    """Its last stage that is trained and written; detectors look at the stages 1 to 3."""
    init: str = "imagenet"
    """Its first weights: imagenet, random, or a file."""
    steps: Annotated[int, Field(ge=1, le=10**7)] = 300
    """Updates."""
    batch: Annotated[int, Field(ge=2, le=8192)] = 32
    """Images of an update."""
    accumulate: Annotated[int, Field(ge=1, le=4096)] = 1
    """Parts of a batch, one after another, whose gradients are summed; images are compared within a part."""
    size: Annotated[int, Field(ge=32, le=1024)] = 128
    """Side of the square images, pixels."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = _BY_FIRST_WEIGHTS
    """Step size at the beginning; it falls to 0 by half a cosine. 0.01, or 0.05 from random weights."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Decides everything random."""
    precision: Precision = "no"
    """Mixed precision of the network; no is float32 throughout."""

    @property
    def together(self) -> int:
        """Images that are compared with each other."""
        return self.batch // self.accumulate

    @model_validator(mode="after")
    def _rate_by_first_weights(self) -> Self:
        if self.learning_rate is None:
            rate = RATE_FROM_RANDOM if self.init == "random" else RATE
            object.__setattr__(self, "learning_rate", rate)
        return self

    @model_validator(mode="after")
    def _batch_can_be_cut(self) -> Self:
        if self.batch % self.accumulate or self.together < 2:
            raise InputError(
                f"batch {self.batch}: cannot be cut into {self.accumulate} equal parts of two images or "
                "more; give another accumulate"
            )
        return self

"""How a model is sampled: the part of it that stands in recipes and in the records of samples."""

from typing import Annotated, Literal

from pydantic import Field

from synthgen.config.model import FrozenModel


class Sampling(FrozenModel):
    """The settings of one sampling run; all of them decide the samples' bytes."""

    steps: Annotated[int, Field(ge=1, le=1000)] = 20
    """Noise levels of the whole way from noise to image."""
    sampler: Literal["ancestral", "ddim"] = "ancestral"
    """ancestral: DDPM's step with variance (1 + s) Sigma; ddim: DDIM's step plus sqrt(s) sigma noise."""
    strength_over_time: Literal["constant", "early", "late"] = "constant"
    """When the strength acts; early and late fall and rise linearly, with the same mean."""
    guidance: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] = 1.0
    """Classifier-free guidance towards the category; 1 is none."""
    batch: Annotated[int, Field(ge=1, le=1024)] = 8
    """Images that go through the network together; a smaller batch needs less memory."""

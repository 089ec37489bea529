"""What sampling reads of the scheduler_config.json beside a diffusers model."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from synthgen.config.model import FrozenModel
from synthgen.config.ranges import Positive
from synthgen.config.validation import first_fault
from synthgen.errors import InputError

BetaSchedule = Literal["linear", "scaled_linear", "squaredcos_cap_v2"]
Spacing = Literal["leading", "trailing", "linspace"]
PredictionType = Literal["epsilon", "v_prediction", "sample"]

MAX_TRAIN_TIMESTEPS = 10_000

_Beta = Annotated[float, Field(ge=1e-8, le=0.999)]


class SchedulerConfig(FrozenModel):
    """Names, values and defaults as in diffusers' DDPMScheduler; what it does not need is passed over."""

    model_config = ConfigDict(extra="ignore")

    class_name: Annotated[Literal["DDPMScheduler", "DDIMScheduler"], Field(alias="_class_name")] = (
        "DDPMScheduler"
    )
    num_train_timesteps: Annotated[int, Field(ge=1, le=MAX_TRAIN_TIMESTEPS)] = 1000
    beta_start: _Beta = 0.0001
    beta_end: _Beta = 0.02
    beta_schedule: BetaSchedule = "linear"
    trained_betas: (
        Annotated[tuple[_Beta, ...], Field(min_length=1, max_length=MAX_TRAIN_TIMESTEPS)] | None
    ) = None
    timestep_spacing: Spacing = "leading"
    steps_offset: Annotated[int, Field(ge=0)] = 0
    rescale_betas_zero_snr: Literal[False] = False
    prediction_type: PredictionType = "epsilon"
    variance_type: Literal[
        "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", "learned_range"
    ] = "fixed_small"
    clip_sample: bool = True
    clip_sample_range: Positive = 1.0
    thresholding: Literal[False] = False


def read_scheduler_config(config: Mapping[str, Any]) -> SchedulerConfig:
    """The configuration, checked. Raises InputError where sampling does not support what it says."""
    try:
        return SchedulerConfig.model_validate(dict(config))
    except ValidationError as error:
        fault = first_fault(error)
        raise InputError(
            f"scheduler_config.json: {fault.field} is {str(fault.found)[:80]}, and this sampler does not "
            f"support that ({fault.message}); use a model with another scheduler"
        ) from error

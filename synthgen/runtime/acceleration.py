"""What a training runs on, by accelerate: its device, its precision, and its other processes."""

from typing import TYPE_CHECKING, Literal

from synthgen.errors import InputError

if TYPE_CHECKING:
    from accelerate import Accelerator

Precision = Literal["no", "fp16", "bf16"]


def accelerator(device: str, precision: Precision, accumulate: int = 1) -> "Accelerator":
    """An accelerator on ``device`` (``auto``, ``cpu`` or ``cuda``), for ``accumulate`` batches an update.

    Raises InputError for a precision that is not for the device.
    """
    from accelerate import Accelerator
    from accelerate.utils import GradientAccumulationPlugin

    # The plugin, because the mere number would give way to a variable of the environment.
    accumulation = GradientAccumulationPlugin(num_steps=accumulate)
    try:
        made = Accelerator(
            cpu=device == "cpu", mixed_precision=precision, gradient_accumulation_plugin=accumulation
        )
    except ValueError as error:
        raise InputError(f"precision {precision}: is not for this device ({error})") from error
    if precision == "fp16" and made.device.type == "cpu":
        raise InputError("precision fp16: is not for a CPU; use bf16 or no")
    return made

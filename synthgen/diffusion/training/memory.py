"""What to do where a batch does not fit in memory."""

import gc
from typing import TYPE_CHECKING

import torch

from synthgen.errors import RunError
from synthgen.runtime.memory import is_out_of_memory

if TYPE_CHECKING:
    from synthgen.diffusion.training.trainer import Trainer


def too_large(trainer: "Trainer") -> RunError:
    """One sentence about a batch that did not fit: the largest part of it that does, found by trying."""
    settings = trainer.settings
    place = trainer.accelerator.device.type
    for parts in range(2, settings.batch + 1):
        batch, rest = divmod(settings.batch, parts)
        if rest == 0 and _fits(trainer, batch):
            accumulate = settings.accumulate * parts
            return RunError(
                f"a batch of {settings.batch} does not fit in the memory of {place}; {batch} does, and "
                f"--batch {batch} --set accumulate={accumulate} trains the same (in another --out, if this "
                "training has a state already)"
            )
    return RunError(
        f"not even a batch of 1 fits in the memory of {place}; choose a smaller --preset or --size"
    )


def _fits(trainer: "Trainer", batch: int) -> bool:
    gc.collect()
    torch.cuda.empty_cache()
    try:
        trainer.try_batch(batch)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True

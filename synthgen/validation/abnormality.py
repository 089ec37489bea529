"""How much of what the recipes make lies beyond what good products look like."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgen.detectors.segmenter.cells import cells_of
from synthgen.normality.abnormality import abnormalities
from synthgen.normality.memory import NormalMemory
from synthgen.normality.threshold import least_images
from synthgen.validation.job import HELD_OUT, LEARNING, REAL, Job, set_name
from synthgen.validation.measures import Measurements
from synthgen.validation.protocol import ABNORMAL_SHARE, CONTROL, NORMAL_CELLS
from synthgen.validation.report import Abnormal
from synthgen.validation.workspace import BATCH, Workspace

Floats = npt.NDArray[np.float64]


def normal_memory(job: Job) -> NormalMemory:
    """What is normal, of the images to learn from, with the threshold of those that are held out."""
    workspace = job.workspace
    with torch.inference_mode():
        learned, held_out = _cells(workspace, LEARNING), _cells(workspace, HELD_OUT)
        return NormalMemory.of(learned, len(job.learning[0]), held_out, NORMAL_CELLS)


def abnormal(measurements: Measurements, memory: NormalMemory, recipe: str) -> Abnormal:
    """What a recipe's defects are like beside good products."""
    samples = measurements.sample_set(recipe)
    shares = _shares(measurements.job.workspace, memory, set_name(recipe), samples.masks)
    return _summed(shares[samples.anomalous], np.array(samples.methods)[samples.anomalous])


def real_abnormal(measurements: Measurements, memory: NormalMemory) -> Abnormal | None:
    """What the real defects that have masks are like; None where none has."""
    real = measurements.real
    if real is None:
        return None
    marked = real.anomalous & real.labelled & real.masks.any((1, 2))
    if not marked.any():
        return None
    masks = real.masks & marked[:, None, None]
    shares = _shares(measurements.job.workspace, memory, REAL, masks)
    return _summed(shares[marked], np.array(real.defect_types)[marked])


def abnormality_notes(measurements: Measurements, memory: NormalMemory) -> list[str]:
    """What the held-out images can promise, and whether the control keeps it, a sentence each."""
    threshold, control = memory.threshold, abnormal(measurements, memory, CONTROL)
    found = [
        f"Beyond normal: of the control's masks, in which nothing was pasted, {control.share:.1%} are called "
        f"abnormal, where at most {1 - threshold.quantile:.1%} is right on average."
    ]
    if threshold.quantile < NORMAL_CELLS:
        found.append(
            f"{threshold.images} held-out images cannot promise that {NORMAL_CELLS:.0%} of a good product's "
            f"cells are called normal, but {threshold.quantile:.1%}; {NORMAL_CELLS:.0%} takes "
            f"{least_images(NORMAL_CELLS)}."
        )
    return found


def _summed(shares: Floats, kinds: npt.NDArray[np.str_]) -> Abnormal:
    names = sorted(set(map(str, kinds)))
    return Abnormal(
        share=float(shares.mean()),
        look_normal=_look_normal(shares),
        by_kind={name: _look_normal(shares[kinds == name]) for name in names} if len(names) > 1 else {},
    )


def _look_normal(shares: Floats) -> float:
    return float((shares < ABNORMAL_SHARE).mean())


def _shares(workspace: Workspace, memory: NormalMemory, name: str, masks: npt.NDArray[np.bool_]) -> Floats:
    """Share of each mask of the images of a name beyond normal variation, (N,); 0 for an empty mask."""
    shares = np.zeros(len(masks))
    with torch.inference_mode():
        for number, cells in enumerate(_cells(workspace, name)):
            first = number * BATCH
            some = np.array(masks[first : first + BATCH])
            shown = np.flatnonzero(some.any((1, 2)))
            found = abnormalities(cells[shown], torch.from_numpy(some[shown]), memory)
            shares[first + shown] = [each.share for each in found]
    return shares


def _cells(workspace: Workspace, name: str) -> Iterator[Tensor]:
    return map(cells_of, workspace.features(name))

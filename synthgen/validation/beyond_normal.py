"""How much of what the recipes make lies beyond what good products look like."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgen.detectors.segmenter.cells import cells_of
from synthgen.normality.abnormality import abnormalities
from synthgen.normality.memory import NormalMemory
from synthgen.normality.pinned import enough_images
from synthgen.validation.entrants import Entrant
from synthgen.validation.job import HELD_OUT, LEARNING, REAL, set_name
from synthgen.validation.measures import Measurements
from synthgen.validation.protocol import ABNORMAL_SHARE, CONTROL, NORMAL_CELLS
from synthgen.validation.report import Abnormal
from synthgen.validation.statistics import Measured
from synthgen.validation.workspace import BATCH

Floats = npt.NDArray[np.float64]


class BeyondNormal:
    """Shares of defects beyond normal variation, by the network that all detectors look through."""

    def __init__(self, measurements: Measurements) -> None:
        self._measurements = measurements
        self._workspace = measurements.job.workspace
        with torch.inference_mode():
            self._memory = NormalMemory.of(
                self._points(LEARNING),
                len(measurements.product.learning),
                self._points(HELD_OUT),
                NORMAL_CELLS,
            )
        self._shares = {name: self._shares_of_recipe(name) for name in measurements.job.recipes}

    @property
    def is_sharp(self) -> bool:
        """Whether enough images are held out to say of a defect that it looks like a good product."""
        return self._memory.threshold.images >= enough_images(NORMAL_CELLS)

    def of_recipe(self, recipe: str) -> Abnormal:
        """What a recipe's defects are like beside good products."""
        samples = self._measurements.sample_set(recipe)
        return _summed(self._shares[recipe], np.array(samples.methods)[samples.anomalous])

    def of_real(self) -> Abnormal | None:
        """What the real defects that have masks are like; None where none has."""
        real = self._measurements.real
        if real is None:
            return None
        marked = real.anomalous & real.labelled & real.masks.any((1, 2))
        if not marked.any():
            return None
        shares = self._shares_of(REAL, real.masks & marked[:, None, None])
        return _summed(shares[marked], np.array(real.defect_types)[marked])

    def measured(self, entrant: Entrant) -> Measured:
        """The mean share of a recipe's masks beyond normal variation; every seed has the same samples."""
        assert entrant.recipe
        shares, times = self._shares[entrant.recipe], self._measurements.sample_times(entrant.recipe)
        seeds = self._measurements.seeds
        resampled = times @ shares / times.sum(1)
        return Measured(np.full(seeds, shares.mean()), np.broadcast_to(resampled, (seeds, len(resampled))))

    def notes(self) -> list[str]:
        """What the held-out images can promise, and whether the control keeps it, a sentence each."""
        threshold = self._memory.threshold
        found = [
            f"Beyond normal: of the control's masks, in which nothing was pasted, "
            f"{self._shares[CONTROL].mean():.1%} are called abnormal, where at most "
            f"{1 - threshold.quantile:.1%} is right on average."
        ]
        if not self.is_sharp:
            found.append(
                f"With {threshold.images} held-out images more looks normal than is: so that at least "
                f"{threshold.quantile:.1%} of a good product's cells are called normal, the threshold lies "
                f"high. {enough_images(NORMAL_CELLS)} held-out images would tell which defects look "
                "like good products."
            )
        return found

    def _shares_of_recipe(self, recipe: str) -> Floats:
        samples = self._measurements.sample_set(recipe)
        return self._shares_of(set_name(recipe), samples.masks)[samples.anomalous]

    def _shares_of(self, name: str, masks: npt.NDArray[np.bool_]) -> Floats:
        """Share of each mask of the images of a name beyond normal variation, (N,); 0 for an empty mask."""
        shares = np.zeros(len(masks))
        with torch.inference_mode():
            for number, cells in enumerate(self._cells(name)):
                first = number * BATCH
                some = np.array(masks[first : first + BATCH])
                shown = np.flatnonzero(some.any((1, 2)))
                found = abnormalities(cells[shown], torch.from_numpy(some[shown]), self._memory)
                shares[first + shown] = [each.share for each in found]
        return shares

    def _cells(self, name: str) -> Iterator[Tensor]:
        return map(cells_of, self._workspace.features(name))

    def _points(self, name: str) -> Iterator[Tensor]:
        """The cells (M, C) of each image."""
        return (image.flatten(1).mT for batch in self._cells(name) for image in batch)


def _summed(shares: Floats, kinds: npt.NDArray[np.str_]) -> Abnormal:
    names = sorted(set(map(str, kinds)))
    return Abnormal(
        share=float(shares.mean()),
        look_normal=_look_normal(shares),
        by_kind={name: _look_normal(shares[kinds == name]) for name in names} if len(names) > 1 else {},
    )


def _look_normal(shares: Floats) -> float:
    return float((shares < ABNORMAL_SHARE).mean())

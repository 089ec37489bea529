"""Anomaly maps with their masks, checked once; and the ranking of all their pixels.

Memory: beside maps and masks there is one more copy of the scores, sorted in place, so 160 maps of 1024 x
1024 (671 MB in float32, masks of 168 MB) need 1.5 GB.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from synthgen.errors import InputError
from synthgen.evaluation.metrics.ranking import Ranking, Scores
from synthgen.images.pixels import Mask


class LabelledMaps:
    """Anomaly maps (H, W), float, and masks (H, W), in which all but 0 is anomalous; sizes may differ.

    Raises InputError where there are none, or not as many maps as masks, for a mask of another size than its
    map, and for scores that are not finite.
    """

    def __init__(self, maps: Sequence[Scores], masks: Sequence[npt.NDArray[Any]]) -> None:
        if len(maps) != len(masks) or not len(maps):
            raise InputError(
                f"{len(maps)} anomaly maps for {len(masks)} masks; one map for each mask is expected"
            )
        for position, (scores, mask) in enumerate(zip(maps, masks, strict=True)):
            if scores.ndim != 2 or scores.shape != mask.shape:
                raise InputError(
                    f"anomaly map {position} is {_size(scores)}, its mask {_size(mask)}; one size is expected"
                )
            if not np.isfinite(scores).all():
                raise InputError(f"anomaly map {position} has scores that are NaN or infinite")
        self._maps = maps
        self._masks = masks

    def __len__(self) -> int:
        return len(self._maps)

    def __iter__(self) -> Iterator[tuple[Scores, Mask]]:
        """Every map with its mask, (H, W) each, the mask as bool."""
        for scores, mask in zip(self._maps, self._masks, strict=True):
            yield scores, mask != 0

    def anomalous(self) -> npt.NDArray[np.bool_]:
        """Which images have anomalous pixels: (N,)."""
        return np.array([bool(np.any(mask)) for mask in self._masks])


def rank_pixels(labelled: LabelledMaps) -> Ranking:
    """Rank the pixels of all images together; raises InputError where none is anomalous, or none normal."""
    sizes = np.array([(mask.sum(), mask.size) for _, mask in labelled], np.int64)
    anomalous_count, pixel_count = (int(total) for total in sizes.sum(axis=0))
    if anomalous_count in (0, pixel_count):
        present, absent = ("normal", "anomalous") if anomalous_count == 0 else ("anomalous", "normal")
        raise InputError(
            f"all pixels of {len(labelled)} masks are {present}; pixel metrics need {absent} ones too"
        )
    dtype = np.result_type(*{scores.dtype for scores, _ in labelled})
    ranking = Ranking(np.empty(anomalous_count, dtype), np.empty(pixel_count - anomalous_count, dtype))
    anomalous_end = normal_end = 0
    for (scores, mask), (anomalous, size) in zip(labelled, sizes, strict=True):
        anomalous_start, anomalous_end = anomalous_end, anomalous_end + anomalous
        normal_start, normal_end = normal_end, normal_end + size - anomalous
        ranking.anomalous[anomalous_start:anomalous_end] = scores[mask]
        ranking.normal[normal_start:normal_end] = scores[~mask]
    ranking.anomalous.sort()
    ranking.normal.sort()
    return ranking


def _size(array: npt.NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape))

"""What a shard holds, counted: exact integers, so that the merged parts equal the whole."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.sample import Facts

GRID = 8
"""Positions are counted on a grid of GRID x GRID cells, laid over the image whatever its size."""

AREA_EDGES = tuple(round(10 ** (step / 4 - 5), 8) for step in range(21))
"""Bounds of the area bins: shares of the image from 0.00001 to 1, four bins a decade."""

CONTRAST_STEP = 8
CONTRAST_EDGES = tuple(range(0, 257, CONTRAST_STEP))
"""Bounds of the contrast bins, grey levels."""


class ShardStatistics(FrozenModel):
    """Counts over the samples of a shard.

    Area, contrast and positions count the anomalous samples that have a paired normal image: elsewhere
    the mask is the full frame and there is nothing to measure a change against.
    """

    outcomes: dict[str, int] = Field({})
    methods: dict[str, int] = Field({})
    """Samples by the synthesizer asked for; ``none`` for those that were to be normal."""
    categories: dict[str, int] = Field({})
    rejected: dict[str, dict[str, int]] = Field({})
    """Rejected samples by synthesizer and reason."""
    looked_at: dict[str, int] = Field({})
    """With ``judge.abnormal``, by synthesizer: defects that were compared with good products."""
    looked_normal: dict[str, int] = Field({})
    """Those of them that look like good products, redrawn or not."""
    attempts: int = 0
    unpaired: int = 0
    """Anomalous samples without a paired normal image."""
    area_millionths: int = 0
    """Sum of the masks' shares of the image, each rounded to a millionth."""
    contrast_ten_thousandths: int = 0
    """Sum of the contrasts, each rounded to a ten thousandth of a grey level."""
    areas: list[int] = [0] * (len(AREA_EDGES) - 1)
    """Samples in each bin of AREA_EDGES; what lies below the first bound is in the first bin."""
    contrasts: list[int] = Field([0] * (len(CONTRAST_EDGES) - 1))
    """Samples in each bin of CONTRAST_EDGES."""
    positions: list[list[int]] = Field([[0] * GRID for _ in range(GRID)])
    """Samples whose box has its centre in a cell of the grid, row by row."""

    @classmethod
    def of(cls, facts: Iterable[Facts]) -> "ShardStatistics":
        """Count samples."""
        every = list(facts)
        kinds = Counter((one.outcome, one.method, one.category, one.reason) for one in every)
        outcomes: Counter[str] = Counter()
        methods: Counter[str] = Counter()
        categories: Counter[str] = Counter()
        rejected: dict[str, Counter[str]] = {}
        for (outcome, method, category, reason), count in kinds.items():
            outcomes[outcome] += count
            methods[method] += count
            categories[category] += count
            if outcome == "rejected":
                rejected.setdefault(method, Counter())[reason] += count
        looked_at, looked_normal = _abnormality(every)
        measured = [one for one in every if one.outcome == "anomalous" and one.paired]
        return cls(
            outcomes=_sorted(outcomes),
            methods=_sorted(methods),
            categories=_sorted(categories),
            rejected={method: _sorted(reasons) for method, reasons in sorted(rejected.items())},
            looked_at=looked_at,
            looked_normal=looked_normal,
            attempts=sum([one.attempts for one in every]),
            unpaired=outcomes["anomalous"] - len(measured),
            area_millionths=sum([round(one.area * 1_000_000) for one in measured]),
            contrast_ten_thousandths=sum([round(one.contrast * 10_000) for one in measured]),
            areas=_binned(AREA_EDGES, [one.area for one in measured]),
            contrasts=_binned(CONTRAST_EDGES, [one.contrast for one in measured]),
            positions=_positions(measured),
        )

    @property
    def samples(self) -> int:
        """How many samples were counted."""
        return sum(self.outcomes.values())

    @property
    def anomalous(self) -> int:
        """How many of them have an anomaly."""
        return self.outcomes.get("anomalous", 0)

    @property
    def measured(self) -> int:
        """How many of them stand in the counts of area, contrast and position."""
        return self.anomalous - self.unpaired

    @property
    def mean_area(self) -> float:
        """Mean share of the image that a mask covers, 0–1; 0 without anomalies."""
        return self.area_millionths / 1_000_000 / max(self.measured, 1)

    @property
    def mean_contrast(self) -> float:
        """Mean contrast of the anomalies, grey levels; 0 without anomalies."""
        return self.contrast_ten_thousandths / 10_000 / max(self.measured, 1)


def merge(parts: Iterable[ShardStatistics]) -> ShardStatistics:
    """The statistics of all samples together; equal to counting them in one go."""
    statistics = list(parts)
    methods = sorted({method for part in statistics for method in part.rejected})
    return ShardStatistics(
        outcomes=_summed(part.outcomes for part in statistics),
        methods=_summed(part.methods for part in statistics),
        categories=_summed(part.categories for part in statistics),
        rejected={
            method: _summed(part.rejected.get(method, {}) for part in statistics) for method in methods
        },
        looked_at=_summed(part.looked_at for part in statistics),
        looked_normal=_summed(part.looked_normal for part in statistics),
        attempts=sum(part.attempts for part in statistics),
        unpaired=sum(part.unpaired for part in statistics),
        area_millionths=sum(part.area_millionths for part in statistics),
        contrast_ten_thousandths=sum(part.contrast_ten_thousandths for part in statistics),
        areas=_added([ShardStatistics().areas, *(part.areas for part in statistics)]),
        contrasts=_added([ShardStatistics().contrasts, *(part.contrasts for part in statistics)]),
        positions=[
            _added([[0] * GRID, *(part.positions[row] for part in statistics)]) for row in range(GRID)
        ],
    )


def look_normal_sentences(statistics: ShardStatistics) -> list[str]:
    """What share of each method's defects look like good products, a sentence each, the largest first."""
    shares = {
        method: statistics.looked_normal.get(method, 0) / count
        for method, count in statistics.looked_at.items()
    }
    return [
        f"{method}: {share:.0%} of its defects look like good products here"
        for method, share in sorted(shares.items(), key=lambda item: -item[1])
    ]


def _abnormality(facts: list[Facts]) -> tuple[dict[str, int], dict[str, int]]:
    """By method, the defects that were compared with good products, and those that look like them."""
    normal: Counter[str] = Counter()
    abnormal: Counter[str] = Counter()
    for one in facts:
        if one.abnormality:
            normal.update(one.abnormality.looked_normal)
            if one.label:
                (abnormal if one.abnormality.abnormal else normal)[one.method] += 1
    return _sorted(normal + abnormal), _sorted(normal)


def _binned(edges: Sequence[float], values: list[float]) -> list[int]:
    """How many values lie in each bin; what lies outside of all bins is in the nearest one."""
    last = len(edges) - 2
    counts = Counter([min(max(bisect_right(edges, value) - 1, 0), last) for value in values])
    return [counts[position] for position in range(last + 1)]


def _positions(facts: list[Facts]) -> list[list[int]]:
    """How many boxes have their centre in each cell of the grid."""
    counts: Counter[tuple[int, int]] = Counter()
    for one in facts:
        left, top, right, bottom = one.box
        counts[(top + bottom) * GRID // (2 * one.height), (left + right) * GRID // (2 * one.width)] += 1
    return [[counts[row, column] for column in range(GRID)] for row in range(GRID)]


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return _sorted(total)


def _added(rows: list[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]

"""What makes a pre-training useless: a network that says the same of every image, copies without a defect."""

from collections import deque

from torch import Tensor
from torch.nn import functional

LEAST = 0.2
"""Below this the outputs are called collapsed; 1 is that of vectors spread over the whole sphere."""
IN_A_ROW = 10
"""Updates after which a collapse is believed."""
FIRST = 0.2
"""Share of the updates before the first that counts: products that look alike begin near to each other."""


def spread(outputs: Tensor) -> Tensor:
    """How far outputs (N, D) lie apart, scalar: 0 for all the same, about 1 for all directions alike.

    The standard deviation of each value of the normalised outputs, times the root of D, averaged over D
    (Chen and He, CVPR 2021, section 4.1).
    """
    unit = functional.normalize(outputs.detach(), dim=1)
    return unit.std(0).mean() * outputs.shape[1] ** 0.5


class CollapseWatch:
    """Says when the outputs have stayed together for some updates."""

    def __init__(self, updates: int) -> None:
        self._first = FIRST * updates
        self._last: deque[float] = deque(maxlen=IN_A_ROW)

    def is_collapsed(self, number: int, found: float) -> bool:
        """Whether the update of this number, from 0, is the last of ten in a row that were collapsed."""
        if number < self._first:
            return False
        self._last.append(found)
        return len(self._last) == IN_A_ROW and max(self._last) < LEAST


class CopyWatch:
    """Says when no copy had a defect in the first updates."""

    def __init__(self, updates: int) -> None:
        self._until = min(IN_A_ROW, updates)
        self._changed = False

    def are_missing(self, number: int, share: float) -> bool:
        """Whether the update of this number, from 0, is the tenth, or last, in which no copy differed."""
        self._changed |= share > 0
        return number + 1 == self._until and not self._changed

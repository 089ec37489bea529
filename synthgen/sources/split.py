"""Which images are held out."""

from collections.abc import Iterable


def held_out_hashes(hashes: Iterable[str], share: float) -> set[str]:
    """The smallest hashes of one category, a share of them rounded down: fixed, whatever the files' names."""
    ordered = sorted(hashes)
    return set(ordered[: int(share * len(ordered))])

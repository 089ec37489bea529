"""Pictures beside a JPEG of the same name: some data sets keep a mask beside its image like that."""

from collections.abc import Callable, Iterator, Sequence

from synthgen.images.decode import UnusableImage, decode
from synthgen.images.pixels import Decoded
from synthgen.sources.evenly import evenly
from synthgen.sources.tree import bare
from synthgen.storage.root import Root

LOOKED_AT = 5
_LOSSY = (".jpg", ".jpeg", ".jfif", ".jpe")


def twins(paths: Sequence[str]) -> list[str]:
    """The pictures beside a JPEG of the same name."""
    lossy = {bare(path) for path in paths if path.lower().endswith(_LOSSY)}
    return [path for path in paths if not path.lower().endswith(_LOSSY) and bare(path) in lossy]


def tested(
    root: Root, paths: Sequence[str], is_mask: Callable[[Decoded], bool]
) -> Iterator[tuple[str, bool]]:
    """A few of some pictures, each with whether it is a mask; one that cannot be decoded is none."""
    for path in evenly(paths, LOOKED_AT):
        try:
            yield path, is_mask(decode(root.read(path)))
        except (OSError, UnusableImage):
            yield path, False

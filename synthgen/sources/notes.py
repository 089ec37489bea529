"""Files that say where defects are, or which pictures have one: VOC, LabelMe, COCO, YOLO, tables."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from synthgen.errors import InputError
from synthgen.sources.evenly import evenly
from synthgen.sources.tree import bare, called_mask
from synthgen.storage.listing import Listing
from synthgen.storage.root import Root

LOOKED_AT = 8
"""Files that are opened, of those at the top and of those beside pictures."""
_START_BYTES = 4096
_TABLE = re.compile(
    rb"\A[^\n]*?(?:\A|[,;\t\" _])"
    rb"(?:label|class|classid|class_id|defect|anomaly|encodedpixels|mask)s?(?:[,;\t\" _\r\n]|\Z)",
    re.IGNORECASE,
)
"""A first line of columns, one of which is called for what is wrong with a picture."""
_LOOKS = {
    ".xml": re.compile(rb"<bndbox|<polygon|<object>"),
    ".json": re.compile(rb'"(?:shapes|bbox|annotations)"\s*:'),
    ".csv": _TABLE,
    ".tsv": _TABLE,
    ".txt": re.compile(rb"\A(?:\d+(?: -?[\d.]+){4,}\s*)+\Z"),
}


def label_file(root: Root, found: Listing) -> str | None:
    """The first file of a folder that is called labels of defects, or looks like them.

    A few at each place are read, and of those beside the folder one that names a picture in it.
    """
    notes = [path for path in found.rest if PurePosixPath(path).suffix.lower() in _LOOKS]
    pictures = set(map(bare, found.images))
    beside = [path for path in notes if bare(path) in pictures]
    top = [path for path in notes if "/" not in path and bare(path) not in pictures]
    # Masks and labels may be of any format: what is called so tells of defects unread.
    called = next(
        (path for path in (*found.rest, *found.other_formats) if called_mask(path) is not None), None
    )
    looks = (
        path
        for path in [*evenly(top, LOOKED_AT), *evenly(beside, LOOKED_AT), *evenly(notes, LOOKED_AT)]
        if _is_label_file(root, path)
    )
    return called or next(looks, None) or _above(root, found.images)


def _above(root: Root, images: Sequence[str]) -> str | None:
    """The file of labels in the folder above that names one of the first pictures."""
    above = root.above(1)
    if above is None or not images:
        return None
    names = [PurePosixPath(path).name.encode(errors="replace") for path in images[:LOOKED_AT]]
    try:
        notes = [name for suffix in _LOOKS for name in above.files(suffix)]
    except InputError:  # it need not be readable
        return None
    for note in evenly(notes, LOOKED_AT):
        if called_mask(note) is not None or _is_label_file(above, note):
            start = _start(above, note)
            if any(name in start for name in names):
                return f"../{note}"
    return None


def _is_label_file(root: Root, path: str) -> bool:
    return _LOOKS[PurePosixPath(path).suffix.lower()].search(_start(root, path)) is not None


def _start(root: Root, path: str) -> bytes:
    try:
        return root.read(path, limit=_START_BYTES)
    except OSError:
        return b""

"""Files that say where defects are, or which pictures have one: VOC, LabelMe, COCO, YOLO, tables."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from synthgen.sources.tree import bare
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


def label_file(root: Root, files: Sequence[str]) -> str | None:
    """The first of some files of a folder that looks like labels of defects; a few of each place are read."""
    notes = [path for path in files if PurePosixPath(path).suffix.lower() in _LOOKS]
    pictures = {bare(path) for path in files if path not in notes}
    beside = [path for path in notes if bare(path) in pictures]
    top = [path for path in notes if "/" not in path and path not in beside]
    return next((path for path in [*_some(top), *_some(beside)] if _is_label_file(root, path)), None)


def _is_label_file(root: Root, path: str) -> bool:
    try:
        start = root.read(path, limit=_START_BYTES)
    except OSError:
        return False
    return _LOOKS[PurePosixPath(path).suffix.lower()].search(start) is not None


def _some(paths: Sequence[str]) -> Sequence[str]:
    return paths[:: max(1, len(paths) // LOOKED_AT)][:LOOKED_AT]

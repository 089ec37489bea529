"""Which mask belongs to which image, by their names."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from synthgen.errors import InputError

_MARK = re.compile(
    r"^(?:mask|gt|label)[_\-. ]+"
    r"|[_\-. ]+(?:masks?|gt|labels?|seg|segmentation|ground_?truth|annotation|anno)$",
    re.IGNORECASE,
)


def pair(defects: Mapping[str, str], masks: Mapping[str, str], where: str) -> dict[str, str]:
    """The mask of each image that has one, by path; both are given with the defect type that their path says.

    A mask has the name of its image but for the suffix and a word such as ``_mask``, and the same type unless
    there is but one image of that name. Raises InputError for two masks of one image, and where not one of
    the masks belongs to an image.
    """
    by_name: dict[str, list[str]] = {}
    for path in defects:
        by_name.setdefault(_name(path), []).append(path)
    found: dict[str, str] = {}
    for mask, defect_type in masks.items():
        image = _image_of(mask, defect_type, by_name, defects)
        if image is None:
            continue
        if image in found:
            raise InputError(f"{mask} and {found[image]} in {where} are masks of one image; remove one")
        found[image] = mask
    return found


def _image_of(
    mask: str, defect_type: str, by_name: Mapping[str, list[str]], defects: Mapping[str, str]
) -> str | None:
    named = by_name.get(_name(mask)) or by_name.get(_bare_name(mask)) or []
    same = [path for path in named if defects[path] == defect_type] or named
    return same[0] if len(same) == 1 else None


def _name(path: str) -> str:
    return PurePosixPath(path).stem


def _bare_name(path: str) -> str:
    return _MARK.sub("", _name(path))

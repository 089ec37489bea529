"""What the pictures of a folder tree are, by the names of their folders and files."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from synthgen.sources.habits import Role, file_role, folder_role, is_any_defect, says_nothing

Depth = Callable[[str], int | None]
"""How many folders of a path stand before the one that it is chosen by; None where it is not."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What one picture's path says."""

    path: str
    role: Role
    """NORMAL, MASK, or DEFECT for all others."""
    is_test: bool
    """Whether it lies among images that detectors are judged by."""
    names: tuple[str, ...]
    """The folders that say something: those of its product, and of a defect or mask its type."""


@dataclass(slots=True)
class Product:
    """The pictures of one product."""

    normals: list[str] = field(default_factory=list)
    test_normals: list[str] = field(default_factory=list)
    defects: dict[str, str] = field(default_factory=dict)
    """The defect type by path."""
    test_defects: dict[str, str] = field(default_factory=dict)
    masks: dict[str, str] = field(default_factory=dict)
    """The defect type by path, empty where the path does not say."""


def products(pictures: Iterable[Picture]) -> dict[tuple[str, ...], Product]:
    """The pictures of every product that has good ones; defects and masks of other products are left out."""
    pictures = list(pictures)
    found = {picture.names: Product() for picture in pictures if picture.role is Role.NORMAL}
    for picture in pictures:
        names = _product(picture.names, found)
        if names is None:
            continue
        product, defect_type = found[names], _defect_type(picture.names[len(names) :])
        if picture.role is Role.NORMAL:
            (product.test_normals if picture.is_test else product.normals).append(picture.path)
        elif picture.role is Role.MASK:
            product.masks[picture.path] = defect_type
        elif defect_type:
            (product.test_defects if picture.is_test else product.defects)[picture.path] = defect_type
    return found


def picture_at(path: str, normal: Depth, mask: Depth) -> Picture:
    """What a path says, for these choices of good products and masks."""
    folders = path.split("/")[:-1]
    roles = [folder_role(folder) for folder in folders]
    is_test = Role.TEST in roles
    telling = [
        not (role in (Role.TEST, Role.TRAIN, Role.MASK) or says_nothing(folder))
        for folder, role in zip(folders, roles, strict=True)
    ]
    depth = normal(path)
    role = Role.MASK if mask(path) is not None else Role.DEFECT if depth is None else Role.NORMAL
    end = depth if role is Role.NORMAL else None
    names = tuple(folder for folder, tells in zip(folders[:end], telling[:end], strict=True) if tells)
    return Picture(path, role, is_test, names)


def called_normal(path: str) -> int | None:
    """The depth of the folder that is called good, unless another one is called a defect."""
    roles, _ = _roles(path)
    return None if Role.NORMAL not in roles or Role.DEFECT in roles else roles.index(Role.NORMAL)


def called_mask(path: str) -> int | None:
    """The depth of the folder, or of the file, that is called a mask."""
    roles, name = _roles(path)
    return [*roles, name].index(Role.MASK) if Role.MASK in (*roles, name) else None


def called_one_of(patterns: Sequence[str]) -> Depth:
    """The depth of a folder that somebody named, by its name or by globs.

    A name stands for every folder of that name, in upper or lower case; what has a "/" or "*" is a glob that
    the path of a picture, or of a folder around it, must match.
    """
    names = {pattern.lower() for pattern in patterns if not _is_glob(pattern)}
    matches = matching(patterns)

    def depth(path: str) -> int | None:
        folders = path.lower().split("/")[:-1]
        named = [position for position, folder in enumerate(folders) if folder in names]
        return named[0] if named else 0 if matches(path) else None

    return depth


def matching(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A function that tells whether a path, or a folder of it, matches one of the patterns that are globs."""
    globs = [glob_matcher(pattern) for pattern in patterns if _is_glob(pattern)]

    def is_matched(path: str) -> bool:
        ends = [position for position, character in enumerate(path) if character == "/"]
        return any(matches(part) for matches in globs for part in (path, *(path[:end] for end in ends)))

    return is_matched


def glob_matcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether a path matches a glob, where ``**`` stands for any folders."""
    from fsspec.utils import glob_translate

    match = re.compile(glob_translate(pattern.rstrip("/"))).match
    return lambda path: match(path) is not None


def bare(path: str) -> str:
    """A path without its suffix."""
    return str(PurePosixPath(path).with_suffix(""))


def counted(paths: Iterable[str]) -> list[str]:
    """Folders with the number of some pictures that lie in them: ``test/crack (4)``."""
    amounts = Counter(path.rpartition("/")[0] or "." for path in paths)
    return [f"{folder} ({amount})" for folder, amount in sorted(amounts.items())]


def _product(names: tuple[str, ...], known: Iterable[tuple[str, ...]]) -> tuple[str, ...] | None:
    """The product that a picture is of: the longest of the known ones that its folders begin with."""
    fitting = [each for each in known if names[: len(each)] == each]
    return max(fitting, key=len, default=None)


def _defect_type(names: tuple[str, ...]) -> str:
    """The first folder behind the product, and the next one where the first only says that it is a defect."""
    return "/".join(names[: 2 if names and is_any_defect(names[0]) else 1])


def _roles(path: str) -> tuple[list[Role], Role]:
    *folders, name = path.split("/")
    return [folder_role(folder) for folder in folders], file_role(PurePosixPath(name).stem)


def _is_glob(pattern: str) -> bool:
    return any(character in pattern for character in "/*?[")

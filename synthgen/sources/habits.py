"""What the names of folders and files say of the pictures behind them, by people's habits."""

import re
from collections.abc import Iterator
from enum import Enum

from synthgen.sources import vocabulary as words_of

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+")


class Role(Enum):
    """What a name says of the pictures behind it."""

    NORMAL = "good products"
    DEFECT = "defects"
    MASK = "masks"
    TEST = "test images"
    TRAIN = "training images"
    OTHER = "other"


def folder_role(name: str) -> Role:
    """What a folder's name says of the pictures below it."""
    said = words(name)
    if (role := _said_anywhere(name, said)) is not Role.OTHER:
        return role
    telling = [word for word in said if word not in words_of.SAY_NOTHING | words_of.SIZES]
    if {"_".join(telling), "_".join(said)} & words_of.DEFECT_NAMES:
        return Role.DEFECT
    own = {word for word in telling if len(word) > 2 or word in words_of.NORMAL_NAMES}
    if own & words_of.NORMAL_NAMES and own <= words_of.NORMAL_NAMES | words_of.TRAIN | words_of.NESTS:
        return Role.NORMAL
    for role, vocabulary in ((Role.TEST, words_of.TEST), (Role.TRAIN, words_of.TRAIN)):
        if telling and telling[0] in vocabulary and vocabulary | words_of.NESTS >= set(telling):
            return role
    return Role.OTHER


def file_role(stem: str) -> Role:
    """What a file's name, without its suffix, says of the picture: that of a defect, a mask, or nothing.

    Pictures of defects are numbered; ``broken`` alone is rather said of the file.
    """
    role = _said_anywhere(stem, words(stem))
    is_numbered = any(character.isdigit() for character in stem)
    return role if role is Role.MASK or (role is Role.DEFECT and is_numbered) else Role.OTHER


def is_wholly(name: str, *roles: Role) -> bool:
    """Whether a folder's name has one of some roles, and no other word: ``bad_parts``, not ``bad_bolts``."""
    role, said = folder_role(name), words(name)
    own = {
        Role.DEFECT: words_of.DEFECT | words_of.NORMAL | {*words_of.NEGATIONS},
        Role.MASK: words_of.MASK | {"ground"},
        Role.TEST: words_of.TEST,
    }
    known = own.get(role, frozenset()) | words_of.SAY_NOTHING | words_of.SIZES | words_of.NESTS
    return role in roles and ("_".join(said) in words_of.DEFECT_NAMES or known >= set(said))


def is_any_defect(name: str) -> bool:
    """Whether a name says that there is a defect, and not which: ``NG``, ``anomalies``."""
    return set(words(name)) <= words_of.ANY_DEFECT | words_of.SAY_NOTHING


def says_nothing(name: str) -> bool:
    """Whether a folder only nests: by a date or number, a camera, line or batch, or as ``images``."""
    return all(word in words_of.SAY_NOTHING | words_of.NESTS or len(word) == 1 for word in words(name))


def is_called_pictures(name: str) -> bool:
    """Whether a folder's name says that there are pictures, and nothing else: ``images``, ``JPEGImages``."""
    return bool(words(name)) and set(words(name)) <= words_of.SAY_NOTHING


def words(name: str) -> list[str]:
    """The words of a name, in lower case, without numbers: ``NODefect_images2`` is no, defect, images."""
    return [word.lower() for word in _WORD.findall(name) if not word.isdigit()]


def _said_anywhere(name: str, said: list[str]) -> Role:
    """What the words of a name say wherever they stand."""
    lower = name.lower()
    for role, parts in (
        (Role.DEFECT, words_of.UNSPACED["defect"]),
        (Role.MASK, words_of.UNSPACED["mask"]),
        (Role.NORMAL, words_of.UNSPACED["normal"]),
    ):
        if any(part in lower for part in parts):
            return role
    if words_of.MASK & set(said) or "groundtruth" in "".join(said):
        return Role.MASK
    if words_of.ABOUT & set(said):
        return Role.OTHER
    judgements = set(_judgements(said))
    return next((role for role in (Role.DEFECT, Role.NORMAL) if role in judgements), Role.OTHER)


def _judgements(said: list[str]) -> Iterator[Role]:
    """What each word calls the product, good or defective, with what denies it."""
    for before, word, after in zip(["", *said], said, [*said[1:], ""], strict=False):
        if word in words_of.DEFECT:
            denied = before in words_of.NEGATIONS or after in words_of.FREE
            yield Role.NORMAL if denied else Role.DEFECT
        elif word in words_of.NORMAL or (word in words_of.NORMAL_NAMES and before in words_of.NEGATIONS):
            yield Role.DEFECT if before in words_of.NEGATIONS else Role.NORMAL
        else:
            yield _joined(word)


def _joined(word: str) -> Role:
    """What a word says that is denied within itself: uncracked, defectfree, notgood."""
    for negation in words_of.NEGATIONS:
        rest = word.removeprefix(negation)
        if rest != word and rest in words_of.DEFECT:
            return Role.NORMAL
        if rest != word and rest in words_of.NORMAL | words_of.NORMAL_NAMES:
            return Role.DEFECT
    for free in words_of.FREE:
        if word.endswith(free) and word.removesuffix(free) in words_of.DEFECT:
            return Role.NORMAL
    return Role.OTHER

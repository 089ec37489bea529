"""The normal images of the product, split into those that are learned from and those that are held out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product

import numpy as np
import numpy.typing as npt
from torch import Tensor

from synthgen.errors import InputError
from synthgen.evaluation.test_set import NormalPictures, Pictures, pictures_of, to_tensor
from synthgen.images.decode import UnusableImage
from synthgen.images.pixels import Decoded, Pixels
from synthgen.runtime.progress import Progress
from synthgen.sources.base import Source
from synthgen.sources.evenly import evenly
from synthgen.sources.records import RejectedFile
from synthgen.sources.split import held_out_hashes
from synthgen.validation.protocol import HELD_OUT, IMAGE_SIZE, LEAST_NORMALS, LEAST_PARTS, MOST_NORMALS


@dataclass(frozen=True)
class Normals:
    """Normal images on one side of the split, and where they come from."""

    images: Pixels
    """(N, side, side, 3) uint8."""
    sha256s: tuple[str, ...]
    """Of their files; of tiles those of their pixels."""
    parts: tuple[str, ...]
    """What the images of one physical part, or the tiles of one picture, have in common."""

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, size: int) -> Iterator[Tensor]:
        """The images in order, (B, 3, side, side) float32 in [0, 1]: what detectors are fitted on."""
        for first in range(0, len(self.images), size):
            yield to_tensor(list(self.images[first : first + size]))


@dataclass(frozen=True)
class Product:
    """The normal images of one product."""

    name: str
    side: int
    """Of the images, pixels."""
    learning: Normals
    held_out: Normals
    depth16: tuple[int, int] | None
    """The values between which images of 16 bits were scaled."""
    notes: tuple[str, ...]


def read_product(
    source: Source, category: str, tile: int | None, parts: str | None, progress: Progress
) -> Product:
    """Read and split the normal images of one category of a source.

    ``tile``: side of the tiles, pixels, that pictures are cut into; None resizes each whole. ``parts``: a
    regular expression; what it finds in a path (its first group, if it has one) names the part that the
    picture shows. Raises InputError where there are too few images to split.
    """
    pictures = pictures_of(source)
    side = tile or IMAGE_SIZE
    if tile:
        pictures = _tiles(pictures, tile)
    pictures = replace(pictures, paths=tuple(evenly(pictures.paths, MOST_NORMALS)))
    found = NormalPictures(pictures, side, progress, on_bad_image="skip", cache_bytes=0)
    images = np.stack(found.some(MOST_NORMALS))
    names = _parts(found.paths, parts, is_tiled=tile is not None)
    # The tiles of one file are images of their own.
    hashes = [_hash(image) for image in images] if tile else found.sha256s
    groups = _joined(names, images)
    held_out = _held_out(groups, hashes)
    if len(images) < LEAST_NORMALS or not held_out.any() or held_out.all():
        raise InputError(
            f"{source.location or source.kind}: has {len(images)} normal images of {len(set(groups))} parts; "
            f"at least {LEAST_NORMALS} of several parts are expected, so that some can be held out; add "
            "pictures of good products" + ("" if tile else ", or cut large pictures into tiles by --tile")
        )
    notes = list(found.notes)
    if found.rejected:
        first = found.rejected[0]
        notes.append(
            f"{len(found.rejected)} normal images could not be used, the first: {first.path}: {first.reason}"
        )
    return Product(
        name=category,
        side=side,
        learning=_some(images, hashes, groups, ~held_out),
        held_out=_some(images, hashes, groups, held_out),
        depth16=found.depth16,
        notes=tuple(notes),
    )


def _parts(paths: Sequence[str], rule: str | None, is_tiled: bool) -> list[str]:
    """The part of each image. The tiles of a picture are one, unless there are too few pictures to split."""
    pictures = [path.rpartition("#")[0] if is_tiled else path for path in paths]
    if is_tiled and rule is None and len(set(pictures)) < LEAST_PARTS:
        return list(paths)
    return [part_of(picture, rule) for picture in pictures]


def part_of(path: str, rule: str | None) -> str:
    """The name of the part that a picture shows: by the rule, else the picture itself."""
    if rule is None:
        return path
    found = re.search(rule, path)
    if found is None:
        raise InputError(
            f"--parts {rule}: finds nothing in {path}; give a regular expression that finds the part's name "
            "in every path"
        )
    return found.group(1) if found.groups() else found.group()


def require_rule(rule: str | None) -> None:
    """Raise InputError where a rule for parts is no regular expression."""
    try:
        re.compile(rule or "")
    except re.error as error:
        raise InputError(f"--parts {rule}: is no regular expression ({error})") from error


def _some(
    images: Pixels, sha256s: Sequence[str], parts: Sequence[str], chosen: npt.NDArray[np.bool_]
) -> Normals:
    positions = np.flatnonzero(chosen).tolist()
    return Normals(
        np.ascontiguousarray(images[positions]),
        tuple(sha256s[position] for position in positions),
        tuple(parts[position] for position in positions),
    )


def _joined(parts: Sequence[str], images: Pixels) -> list[str]:
    """The parts, where those that share an image with the same pixels are one."""
    same: dict[str, str] = {}

    def first_of(part: str) -> str:
        while same.get(part, part) != part:
            part = same[part]
        return part

    by_pixels: dict[str, str] = {}
    for part, image in zip(parts, images, strict=True):
        other = by_pixels.setdefault(_hash(image), part)
        same[first_of(part)] = first_of(other)
    return [first_of(part) for part in parts]


def _hash(image: Pixels) -> str:
    return sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def _held_out(parts: Sequence[str], sha256s: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which images are held out: those of a share of the parts, chosen by their files' contents."""
    contents: dict[str, list[str]] = {}
    for part, digest in zip(parts, sha256s, strict=True):
        contents.setdefault(part, []).append(digest)
    hashes = {part: sha256("".join(sorted(own)).encode()).hexdigest() for part, own in contents.items()}
    held_out = held_out_hashes(hashes.values(), HELD_OUT)
    return np.array([hashes[part] in held_out for part in parts])


def _tiles(pictures: Pictures, side: int) -> Pictures:
    """The tiles of every picture as pictures of their own, named ``PATH#TOP-LEFT``."""
    corners: dict[str, tuple[int, int]] = {}
    rejected = list(pictures.rejected)
    for path in pictures.paths:
        try:
            height, width = pictures.prepared(path, pictures.read(path)).shape[:2]
        except (UnusableImage, OSError) as error:
            rejected.append(RejectedFile(path=path, reason=str(error)))
            continue
        for row, column in product(_starts(height, side), _starts(width, side)):
            corners[f"{path}#{row}-{column}"] = row, column
    if not corners:
        raise InputError(f"--tile {side}: no picture is that large; choose smaller tiles")

    def cut(name: str, data: bytes) -> Decoded:
        row, column = corners[name]
        whole = pictures.prepared(name.rpartition("#")[0], data)
        return whole[row : row + side, column : column + side]

    return Pictures(
        tuple(corners),
        lambda name: pictures.read(name.rpartition("#")[0]),
        cut,
        rejected=tuple(rejected),
        notes=pictures.notes,
        chosen_by_hand=pictures.chosen_by_hand,
    )


def _starts(length: int, side: int) -> range:
    return range(0, length - side + 1, side)

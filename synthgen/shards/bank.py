"""A bank: the whole-image anomalies in a directory of shards, each read where it lies in its tar."""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from synthgen.config.nearest import nearest_name
from synthgen.errors import InputError, RunError
from synthgen.images.decode import decode
from synthgen.images.pixels import Pixels
from synthgen.plan.image_order import ImageOrder, drawn_from
from synthgen.plan.plan import Plan
from synthgen.sample import Facts
from synthgen.shards.mark import Mark, read_mark
from synthgen.shards.reader import open_directory, read_plan
from synthgen.storage.byte_ranges import ByteRanges
from synthgen.storage.root import Root
from synthgen.synthesizers.ingredients import PinnedBank


@dataclass(frozen=True, slots=True)
class BankImage:
    """A stored anomaly: ``pixels`` (H, W, C) uint8."""

    pixels: Pixels
    facts: Facts


@dataclass(frozen=True, slots=True)
class _Shard:
    """What a bank keeps of a shard's mark."""

    name: str
    sha256: str
    indices: range
    places: npt.NDArray[np.int64]
    """For each sample, offset and size of its facts, then of its image: (samples, 4)."""
    categories: dict[str, int]
    """Samples of each category."""


class Bank:
    """Reads the images of a bank, in any order; it can be pickled and forked, and serves one thread."""

    def __init__(self, url: str, plan: Plan, shards: Sequence[_Shard]) -> None:
        self.url = url
        self._shards = shards
        self._first_indices = [shard.indices.start for shard in shards]
        self._members = _members(url, plan, shards)
        self._files = ByteRanges(url)
        sums = "".join(f"{shard.name} {shard.sha256}\n" for shard in shards)
        self.pinned = PinnedBank(
            fingerprint=plan.fingerprint,
            shards_sha256=sha256(sums.encode()).hexdigest(),
            size=plan.preparation.size,
            channels=plan.preparation.channels,
            categories=list(self._members),
        )

    def members(self, category: str) -> Sequence[int]:
        """The indices of a category's images, ascending. Raises InputError where there is none."""
        if category not in self._members:
            raise InputError(
                f"the bank {self.url} has no image of the category {category!r}, only of "
                f"{', '.join(self._members)}{nearest_name(category, self._members)}"
            )
        return self._members[category]

    @property
    def fingerprint(self) -> str:
        """Of the plan that made the bank."""
        return self.pinned.fingerprint

    def strength(self, index: int) -> float:
        """The strength that one image was made with. Raises as ``read`` does."""
        return self.facts(index).strength

    def facts(self, index: int) -> Facts:
        """The facts of one image alone, without decoding it. Raises as ``read`` does."""
        shard, (start, size, _, _) = self._place(index)
        with self._explained(shard, index):
            return self._parsed(self._files.read(shard.name, start, size), index)

    def read(self, index: int) -> BankImage:
        """One image and its facts, by one read of the tar.

        Raises InputError for an index that the bank does not have, RunError where the tar has changed.
        """
        shard, (facts_start, facts_size, start, size) = self._place(index)
        first, end = min(facts_start, start), max(facts_start + facts_size, start + size)
        with self._explained(shard, index):
            block = self._files.read(shard.name, first, end - first)
            facts = self._parsed(block[facts_start - first :][:facts_size], index)
            return BankImage(self._decoded(block[start - first :][:size]), facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_bank, (self.url, self.pinned)

    def _place(self, index: int) -> tuple[_Shard, list[int]]:
        """The shard of an image, and the image's row of its places."""
        position = bisect_right(self._first_indices, index) - 1
        if index not in self._shards[position].indices:
            raise InputError(f"the bank {self.url} has no finished image {index}")
        shard = self._shards[position]
        return shard, shard.places[index - shard.indices.start].tolist()

    def _parsed(self, text: bytes, index: int) -> Facts:
        try:
            facts = Facts.model_validate_json(text)
        except ValidationError:
            raise ValueError("found no facts") from None
        if (facts.index, facts.fingerprint) != (index, self.pinned.fingerprint):
            raise ValueError(f"found sample {facts.key} of the plan {facts.fingerprint[:12]}")
        return facts

    def _decoded(self, data: bytes) -> Pixels:
        pixels = decode(data)[..., : self.pinned.channels]  # WebP stores grey as equal channels
        expected = (*self.pinned.size, self.pinned.channels)
        if pixels.shape != expected:
            raise ValueError(f"found an image of {pixels.shape}, expected {expected}")
        return np.ascontiguousarray(pixels, np.uint8)

    @contextmanager
    def _explained(self, shard: _Shard, index: int) -> Iterator[None]:
        """Turn whatever a changed or missing tar leads to into one sentence."""
        try:
            yield
        except Exception as error:  # remote file systems have errors of their own kinds
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise RunError(
                f"the bank {self.url}: {shard.name} does not hold image {index} where its mark says "
                f"({' '.join(reason.split())}); see `synthgen verify {self.url}`"
            ) from error


def open_bank(url: str | PathLike[str], pinned: PinnedBank | None = None) -> Bank:
    """Open the bank in a directory, a path or any fsspec URL; an unfinished one has its finished shards.

    Raises InputError where the directory is not from synthgen, has no finished shard, or holds anything but
    whole-image anomalies; RunError where it is not, or not any more, what was pinned.
    """
    try:
        bank = _opened(open_directory(url))
    except InputError as error:
        if pinned is None:
            raise
        raise RunError(
            f"the bank {url} could be opened when the plan was made, and now not any more ({error})"
        ) from error
    if pinned not in (None, bank.pinned):
        raise RunError(
            f"the bank {url} changed since the plan was made; restore it, or start in a new directory"
        )
    return bank


def _opened(root: Root) -> Bank:
    plan = read_plan(root)
    names = set(root.names())
    shards = []
    for name in sorted(names):
        stem = name.removesuffix(".json")
        if stem == name or not stem.isdecimal():
            continue
        mark = read_mark(root, int(stem))
        if mark and mark.fingerprint == plan.fingerprint:
            if mark.shard not in names:
                raise InputError(
                    f"the bank {root.url}: {mark.shard} is gone, and its mark is there; restore it, or "
                    "delete the mark, to draw from the other shards"
                )
            shards.append(_shard(root.url, mark, plan.recipe.output.image_format))
    if not shards:
        raise InputError(f"the bank {root.url} has no finished shard yet; run `synthgen generate` first")
    return Bank(root.url, plan, shards)


def _shard(url: str, mark: Mark, image_format: str) -> _Shard:
    others = mark.count - mark.statistics.unpaired
    if others:
        raise InputError(
            f"{url} is no bank: {others} of the {mark.count} samples of {mark.shard} are normal, rejected or "
            "defects in a normal image; generate a bank with sdas-image alone and normal_share: 0"
        )
    try:
        wanted = [mark.extensions.index(extension) for extension in ("json", image_format)]
        places = np.array(mark.members, np.int64).reshape(mark.count, len(mark.extensions), 2)[:, wanted]
    except ValueError as error:
        raise InputError(
            f"the bank {url}: the mark of {mark.shard} does not say where its samples and their "
            f"{image_format} images are; delete it and generate the shard again"
        ) from error
    indices = range(mark.first_index, mark.first_index + mark.count)
    return _Shard(mark.shard, mark.sha256, indices, places.reshape(-1, 4), mark.statistics.categories)


def _members(url: str, plan: Plan, shards: Sequence[_Shard]) -> dict[str, "array[int]"]:
    """The indices of each category's images, as the bank's own plan chooses them."""
    order = ImageOrder(plan.recipe, drawn_from(plan))
    members: dict[str, array[int]] = {}
    for shard in shards:
        categories = [order.image(index).category for index in shard.indices]
        if Counter(categories) != shard.categories:
            raise InputError(
                f"the bank {url}: {shard.name} has other categories than its plan chooses; it was made by "
                "another version of synthgen, generate it again"
            )
        for index, category in zip(shard.indices, categories, strict=True):
            members.setdefault(category, array("q")).append(index)
    return dict(sorted(members.items()))

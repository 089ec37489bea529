"""The official layout of VisA (Zou et al. 2022): images named by ``split_csv/1cls.csv``."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import ClassVar, Literal

from synthgen.errors import InputError
from synthgen.sources.base import Entry, LabelledSource, TestImage
from synthgen.storage.root import Root, chosen

SPLIT_FILE = "split_csv/1cls.csv"


class VisaSource(LabelledSource):
    """The rows of the split file: normal ones with split ``train``, and all with split ``test``.

    A category is what stands in the column ``object``.
    """

    tests_place: ClassVar[str] = SPLIT_FILE

    kind: Literal["visa"] = "visa"

    @property
    def split_file(self) -> str:
        """The file of the rows, below the root."""
        return SPLIT_FILE

    @classmethod
    def is_at(cls, root: Root) -> bool:
        """Whether a folder has the split file."""
        return root.is_file(SPLIT_FILE)

    def entries(self) -> Sequence[Entry]:
        """List the training-normal images that the split file names, sorted by category and path."""
        images: dict[str, set[str]] = {}
        for row in self._rows("object", "split", "label", "image"):
            if (row["split"], row["label"]) == ("train", "normal"):
                images.setdefault(row["object"], set()).add(row["image"])
        if not images:
            raise InputError(
                f"{self.split_file} in {self.path} has no row with split 'train' and label 'normal'"
            )
        return [
            Entry(path, category)
            for category in chosen(self.categories, images, self.path)
            for path in sorted(images[category])
        ]

    def test_categories(self) -> Sequence[str]:
        """The categories of test rows, sorted. Raises InputError where there is none."""
        if not self._tests:
            raise InputError(f"{self.split_file} in {self.path} has no row with split 'test'")
        return chosen(self.categories, self._tests, self.path)

    def tests(self, category: str) -> Sequence[TestImage]:
        """The test rows of a category, sorted by path. Raises InputError for an image named twice."""
        images = sorted(self._tests[category], key=lambda image: image.path)
        for one, next_one in pairwise(images):
            if one.path == next_one.path:
                raise InputError(f"{self.split_file} in {self.path} names {one.path} twice; remove a row")
        return images

    @cached_property
    def _tests(self) -> dict[str, list[TestImage]]:
        tests: dict[str, list[TestImage]] = {}
        for row in self._rows("object", "split", "label", "image", "mask"):
            if row["split"] != "test":
                continue
            if row["label"] not in ("normal", "anomaly"):
                raise InputError(
                    f"{self.split_file} in {self.path} has label {row['label']!r} for {row['image']}; "
                    "normal or anomaly is expected"
                )
            image = TestImage(row["image"], row["label"], row["label"] == "anomaly", row["mask"] or None)
            tests.setdefault(row["object"], []).append(image)
        return {category: _paired(images) for category, images in tests.items()}

    def _rows(self, *columns: str) -> list[dict[str, str]]:
        """The rows of the split file. Raises InputError where it cannot be read, or lacks a column."""
        root = Root(self.path)
        root.require_folder()
        try:
            lines = root.read(self.split_file).decode("utf-8-sig").splitlines()
            rows = list(csv.DictReader(lines, restval=""))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{self.path} is no VisA data set by {self.split_file}: {error}") from error
        for row in rows:
            if missing := set(columns) - row.keys():
                raise InputError(
                    f"{self.split_file} in {self.path} has no column {', '.join(sorted(missing))}"
                )
        return rows


def _paired(images: list[TestImage]) -> list[TestImage]:
    """The images of a category; where it has no masks at all, those of defects are not paired."""
    if any(image.mask for image in images):
        return images
    return [replace(image, paired=not image.anomalous) for image in images]

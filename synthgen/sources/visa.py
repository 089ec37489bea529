"""The official layout of VisA (Zou et al. 2022): images named by ``split_csv/1cls.csv``."""

import csv
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from synthgen.errors import InputError
from synthgen.sources.base import Entry, Source
from synthgen.storage.root import Root, chosen

SPLIT_FILE = "split_csv/1cls.csv"


class VisaSource(Source):
    """The rows of the split file with split ``train`` and label ``normal``."""

    kind: Literal["visa"] = "visa"
    path: Annotated[str, Field(min_length=1)]
    """Path or URL of the data set's root."""
    categories: Annotated[list[str], Field(min_length=1)] | None = None
    """The categories (column ``object``) to use; all if left out."""

    def entries(self) -> Sequence[Entry]:
        """List the training-normal images that the split file names, sorted by category and path."""
        images: dict[str, set[str]] = {}
        for category, image in self._training_normals():
            images.setdefault(category, set()).add(image)
        if not images:
            raise InputError(f"{SPLIT_FILE} in {self.path} has no row with split 'train' and label 'normal'")
        return [
            Entry(path, category)
            for category in chosen(self.categories, images, self.path)
            for path in sorted(images[category])
        ]

    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image. Raises OSError where it cannot be read."""
        return Root(self.path).read(path)

    def _training_normals(self) -> Iterator[tuple[str, str]]:
        """Category and path of every training-normal row."""
        root = Root(self.path)
        root.require_folder()
        try:
            lines = root.read(SPLIT_FILE).decode("utf-8-sig").splitlines()
            rows = list(csv.DictReader(lines, restval=""))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{self.path} is no VisA data set: {error}") from error
        for row in rows:
            if missing := {"object", "split", "label", "image"} - row.keys():
                raise InputError(f"{SPLIT_FILE} in {self.path} has no column {', '.join(sorted(missing))}")
            if (row["split"], row["label"]) == ("train", "normal"):
                yield row["object"], row["image"]

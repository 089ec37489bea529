"""What every source is: a description that lists images and reads their bytes."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.images.decode import MAX_MEGAPIXELS, MOST_MEGAPIXELS
from synthgen.storage.listing import Stray
from synthgen.storage.root import Root


@dataclass(frozen=True, slots=True)
class Entry:
    """One training-normal image: its path relative to the source's root (POSIX) and its category."""

    path: str
    category: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The normal images of a source, and what was passed over among them."""

    entries: Sequence[Entry]
    other_formats: Sequence[str] = ()
    """Paths of pictures of formats that are not read."""
    strays: Sequence[Stray] = ()
    """What is neither a file that can be read nor a folder that can be looked into."""


@dataclass(frozen=True, slots=True)
class TestImage:
    """One labelled test image; paths are relative to the data set's root."""

    __test__ = False  # for pytest: the name does not make it a test

    path: str
    defect_type: str
    """What the data set calls it: ``good``, ``crack``, ``anomaly``; for shards the method."""
    anomalous: bool
    mask: str | None = None
    """Path of the mask, where there is one."""
    paired: bool = True
    """Whether its pixels have labels; what is not paired is left out of pixel metrics."""
    normal_sha256: str | None = None
    """sha256 of the normal image that it was made of, in shards."""


class Source(FrozenModel):
    """Where normal images come from. Only training-normal images are ever listed as entries."""

    threads: ClassVar[int | None] = None
    """How many images are read and decoded at a time; None: as many as suits the machine."""
    file_suffix: ClassVar[str | tuple[str, ...] | None] = None
    """What the path of a single file of this source ends with, such as ``.tar``; None for folders only."""

    kind: str
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the normal images that is set aside for judging detectors, 0 to below 1."""
    max_megapixels: Annotated[int, Field(ge=1, le=MOST_MEGAPIXELS)] = MAX_MEGAPIXELS
    """Images of more pixels, in millions, are not read: a small file may claim to be one that fills the
    memory. Raise it for larger cameras, up to 1000."""

    @property
    def location(self) -> str | None:
        """The path or URL of what it lists; None where it lists nothing that lies in a place of its own."""
        return getattr(self, "path", None)

    @classmethod
    def is_at(cls, root: Root) -> bool:
        """Whether a folder is laid out as this source expects; it is then made of the field ``path`` alone.

        False for a source that only a recipe's ``kind`` can choose.
        """
        return False

    @property
    def chosen_by_hand(self) -> bool:
        """Whether a person said which pictures show good products, so that none is taken for a mask."""
        return False

    def seen(self) -> str:
        """What was taken for good products and what was left out, in a sentence; empty where nothing was."""
        return ""

    @abstractmethod
    def entries(self) -> Sequence[Entry]:
        """List the normal images in one order on every machine (sorted by category, then path).

        Raises InputError where the layout is not there or holds no image.
        """

    def listing(self) -> Listed:
        """The normal images, and what is to be said of the rest. Raises InputError as `entries` does."""
        return Listed(self.entries())

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image. Raises OSError where it cannot be read."""


class LabelledSource(Source):
    """A data set in a folder, with labelled test images beside the training-normal ones."""

    tests_place: ClassVar[str] = "labelled test images"
    """What is looked for below a root by `has_tests_at`, for a message that it is not there."""

    path: Annotated[str, Field(min_length=1)]
    """Path or URL of the data set's root."""
    categories: Annotated[list[str], Field(min_length=1)] | None = None
    """The categories to use; all if left out."""

    @property
    def layout(self) -> str:
        """What reports call it: the layout, and which split of the data set is taken where it has several."""
        return self.kind

    @classmethod
    def has_tests_at(cls, root: Root) -> bool:
        """Whether a folder has this layout's test images; as `is_at`, where the two always come together."""
        return cls.is_at(root)

    def fit_entries(self) -> Sequence[Entry]:
        """The entries that no detector is judged by: all, where test images are others."""
        return self.entries()

    @abstractmethod
    def test_categories(self) -> Sequence[str]:
        """The chosen categories that have test images, sorted. Raises InputError where there is none."""

    @abstractmethod
    def tests(self, category: str) -> Sequence[TestImage]:
        """The test images of one of `test_categories`, sorted by path.

        Raises InputError where masks and images do not belong together.
        """

    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image or mask. Raises OSError where it cannot be read."""
        return Root(self.path).read(path)

"""Images that a program hands over in memory, such as those of an HTTP request; not a source of recipes."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from synthgen.images.decode import MOST_MEGAPIXELS
from synthgen.sources.base import Entry, Source

HELD_OUT = 0.25
"""Share of the images that tell where normal variation ends; samples are made of all."""


class UploadSource(Source):
    """Encoded images in memory, of one category: ``images.0``, ``images.1`` and so on."""

    threads: ClassVar[int | None] = 1  # somebody else chose the images, and each may take a gigabyte
    kind: Literal["uploads"] = "uploads"
    category: str = "uploads"
    held_out: float = 0.0
    max_megapixels: int = MOST_MEGAPIXELS
    """Whoever hands them over has a bound of its own."""
    _images: dict[str, bytes] = PrivateAttr(default_factory=dict)

    @property
    def chosen_by_hand(self) -> bool:
        """True: each was sent as a good product."""
        return True

    @classmethod
    def of(cls, images: Sequence[bytes], category: str, held_out: float = 0.0) -> "UploadSource":
        """The source of some encoded images."""
        source = cls(category=category, held_out=held_out)
        source._images = {f"images.{number}": image for number, image in enumerate(images)}
        return source

    def entries(self) -> Sequence[Entry]:
        """List the images, in their order."""
        return [Entry(name, self.category) for name in self._images]

    def read(self, path: str) -> bytes:
        """The encoded bytes of one image. Raises OSError for any other name."""
        try:
            return self._images[path]
        except KeyError:
            raise OSError(f"{path} is not among the uploaded images") from None

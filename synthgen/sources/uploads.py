"""Images that a program hands over in memory, such as those of an HTTP request; not a source of recipes."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Literal

from pydantic import PrivateAttr

from synthgen.sources.base import Entry, Source

NAME_LENGTH = 16


class UploadSource(Source):
    """Images in memory, of one category; each is named by its own hash, so that names change no sample."""

    kind: Literal["uploads"] = "uploads"
    category: str = "uploads"
    held_out: float = 0.0
    _images: dict[str, bytes] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, images: Sequence[bytes], category: str) -> "UploadSource":
        """The source of some encoded images; copies count once."""
        source = cls(category=category)
        source._images = {sha256(image).hexdigest()[:NAME_LENGTH]: image for image in images}
        return source

    def entries(self) -> Sequence[Entry]:
        """List the images, sorted by their hashes."""
        return [Entry(name, self.category) for name in sorted(self._images)]

    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image. Raises OSError for any other name."""
        try:
            return self._images[path]
        except KeyError:
            raise OSError(f"{path} is not among the uploaded images") from None

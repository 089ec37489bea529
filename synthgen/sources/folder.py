"""A folder of pictures of good products: what a path is when no other source is at it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from synthgen.errors import InputError
from synthgen.sources.base import Entry, Listed, Source
from synthgen.storage.listing import found_instead
from synthgen.storage.root import LOOKED_FOR, Root


def _valid_glob(pattern: str) -> str:
    from fsspec.utils import glob_translate

    glob_translate(pattern)
    return pattern


class FolderSource(Source):
    """All images below one folder; they are one category, named like the folder."""

    kind: Literal["folder"] = "folder"
    path: Annotated[str, Field(min_length=1)]
    """Path or URL of the folder."""
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_valid_glob)] = "**/*"
    """Glob that an image's path below the folder must match; ``**`` stands for any folders."""

    def entries(self) -> Sequence[Entry]:
        """List every file with an image's suffix that matches, whatever its content, sorted by path."""
        return self.listing().entries

    def listing(self) -> Listed:
        """The images that match, other pictures that do, and all strays."""
        import re

        from fsspec.utils import glob_translate

        root = Root(self.path)
        root.require_folder()
        matches = re.compile(glob_translate(self.pattern)).match
        found = root.listing()
        paths = [path for path in found.images if matches(path)]
        if not paths:
            raise InputError(
                f"{self.path} has no image that matches {self.pattern!r}; {LOOKED_FOR}{found_instead(found)}"
            )
        others = [path for path in found.other_formats if matches(path)]
        return Listed([Entry(path, root.name) for path in paths], others, found.strays)

    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image. Raises OSError where it cannot be read."""
        return Root(self.path).read(path)

"""A folder of pictures of good products: what a path is when no other source is at it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from synthgen.errors import InputError
from synthgen.sources.base import Entry, Listed, Source
from synthgen.sources.guard import require_good_products
from synthgen.sources.tree import glob_matcher
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
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_valid_glob)] | None = None
    """Glob that a good product's path below the folder must match; ``**`` stands for any folders.

    Left out, all pictures are taken, and names that speak of defects, masks or tests are refused.
    """

    @property
    def chosen_by_hand(self) -> bool:
        """Whether there is a pattern."""
        return self.pattern is not None

    def entries(self) -> Sequence[Entry]:
        """List every file with an image's suffix that matches, sorted by path.

        Without a pattern, raises InputError where names or files beside the pictures say that some may show
        defects or be masks; pictures that synthgen drew are left out then.
        """
        return self.listing().entries

    def listing(self) -> Listed:
        """The images that match, other pictures that do, and all strays."""
        root = Root(self.path)
        root.require_folder()
        found = root.listing()
        if self.pattern is None:
            paths, others = require_good_products(root, found), found.other_formats
        else:
            matches = glob_matcher(self.pattern)
            paths = [path for path in found.images if matches(path)]
            others = [path for path in found.other_formats if matches(path)]
        if not paths:
            pattern = self.pattern or "**/*"
            raise InputError(
                f"{self.path} has no image that matches {pattern!r}; {LOOKED_FOR}{found_instead(found)}"
            )
        return Listed([Entry(path, root.name) for path in paths], others, found.strays)

    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image. Raises OSError where it cannot be read."""
        return Root(self.path).read(path)

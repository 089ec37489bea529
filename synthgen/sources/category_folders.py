"""What the benchmark layouts share: a folder for each category, with normal images at one place."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from synthgen.errors import InputError
from synthgen.sources.base import Entry, Source
from synthgen.storage.root import Root, chosen


class CategorySource(Source):
    """``<path>/<category>/<normal_folder>/*``; ``path`` may also be one category's own folder."""

    normal_folder: ClassVar[str]

    path: Annotated[str, Field(min_length=1)]
    """Path or URL of the data set, or of one category of it."""
    categories: Annotated[list[str], Field(min_length=1)] | None = None
    """The categories to use; all if left out."""

    def entries(self) -> Sequence[Entry]:
        """List the training-normal images, sorted by category and path."""
        root = Root(self.path)
        folders = self._folders(root)
        if not folders:
            raise InputError(
                f"{self.path} has no folder <category>/{self.normal_folder}; give the data set's root"
            )
        return [
            Entry(path, category)
            for category in chosen(self.categories, folders, self.path)
            for path in self._images(root, folders[category])
        ]

    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image. Raises OSError where it cannot be read."""
        return Root(self.path).read(path)

    @classmethod
    def is_at(cls, root: Root) -> bool:
        """Whether a folder has this layout."""
        return root.is_folder(cls.normal_folder) or any(
            root.is_folder(f"{name}/{cls.normal_folder}") for name in root.folders()
        )

    def _folders(self, root: Root) -> dict[str, str]:
        """The folder of normal images of every category."""
        root.require_folder()
        if root.is_folder(self.normal_folder):
            return {root.name: self.normal_folder}
        candidates = {name: f"{name}/{self.normal_folder}" for name in root.folders()}
        return {name: folder for name, folder in candidates.items() if root.is_folder(folder)}

    def _images(self, root: Root, folder: str) -> list[str]:
        images = root.images(folder)
        if not images:
            raise InputError(f"{self.path} has no image in {folder}; at least one normal image is needed")
        return images

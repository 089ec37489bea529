"""Recognising the layout of what a path points at."""

from collections.abc import Sequence

from synthgen.errors import InputError
from synthgen.sources.base import Source
from synthgen.sources.folder import FolderSource
from synthgen.sources.folders import FoldersSource
from synthgen.sources.registry import SOURCES
from synthgen.storage.root import Root


def source_for(
    path: str, categories: Sequence[str] | None = None, normal: Sequence[str] | None = None
) -> Source:
    """The source at a path or URL: the first of the table that is there, or a plain folder.

    ``normal`` names the folders of good products, by names or globs, whatever the layout is. Raises
    InputError where nothing is there, or categories are asked of a layout that has none.
    """
    found = FoldersSource if normal else _of_file(path) or _of_folder(path)
    if categories and "categories" not in found.model_fields:
        kind = found.model_fields["kind"].default
        raise InputError(
            f"{path} is a {kind} source, which has no categories, so {', '.join(categories)} "
            "cannot be chosen; leave the categories out"
        )
    chosen = {"categories": categories and list(categories), "normal": normal and list(normal)}
    return found.model_validate({"path": path} | {name: value for name, value in chosen.items() if value})


def _of_file(path: str) -> type[Source] | None:
    """The source of files with the path's suffix; the path may be a pattern, and is not looked for."""
    return next(
        (each for each in SOURCES.values() if each.file_suffix and path.endswith(each.file_suffix)), None
    )


def _of_folder(path: str) -> type[Source]:
    root = Root(path)
    root.require_folder()
    return next((each for each in SOURCES.values() if each.is_at(root)), FolderSource)

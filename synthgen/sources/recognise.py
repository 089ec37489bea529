"""Recognising the layout of what a path points at."""

from synthgen.errors import InputError
from synthgen.sources.base import Source
from synthgen.sources.btad import BtadSource
from synthgen.sources.folder import FolderSource
from synthgen.sources.mvtec import MvtecSource
from synthgen.sources.visa import SPLIT_FILE, VisaSource
from synthgen.sources.webdataset import WebDatasetSource
from synthgen.storage.root import Root


def source_for(path: str, categories: list[str] | None = None) -> Source:
    """The source at a path or URL: VisA, MVTec (MPDD is alike), BTAD, WebDataset shards, or a plain folder.

    Raises InputError where nothing is there, or categories are asked of a layout that has none.
    """
    if path.endswith(".tar"):
        return _without_categories(WebDatasetSource(path=path), categories)
    root = Root(path)
    root.require_folder()
    if root.is_file(SPLIT_FILE):
        return VisaSource(path=path, categories=categories)
    if MvtecSource.is_at(root):
        return MvtecSource(path=path, categories=categories)
    if BtadSource.is_at(root):
        return BtadSource(path=path, categories=categories)
    if root.files(".tar"):
        return _without_categories(WebDatasetSource(path=path), categories)
    return _without_categories(FolderSource(path=path), categories)


def _without_categories(source: WebDatasetSource | FolderSource, categories: list[str] | None) -> Source:
    if categories:
        raise InputError(
            f"{source.path} is a {source.kind} source, which has no categories, so {', '.join(categories)} "
            "cannot be chosen; leave the categories out"
        )
    return source

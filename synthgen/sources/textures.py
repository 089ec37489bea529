"""Where the textures of a collection come from."""

from synthgen.sources.base import Source
from synthgen.sources.builtin import BuiltinSource
from synthgen.sources.folder import FolderSource


def texture_source(collection: str) -> Source:
    """The source that a texture collection's name stands for."""
    return (
        BuiltinSource(kind="builtin")
        if collection == "builtin"
        else FolderSource(kind="folder", path=collection, pattern="**/*")
    )

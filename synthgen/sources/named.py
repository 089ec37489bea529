"""The source that a person names in one word: what lies at a path or URL, or ``builtin``."""

from collections.abc import Sequence
from typing import get_args

from synthgen.config.nearest import nearest_name
from synthgen.errors import InputError
from synthgen.sources.base import Source
from synthgen.sources.builtin import BuiltinSource, Photograph
from synthgen.sources.recognise import source_for


def named_source(
    name: str, categories: Sequence[str] | None = None, normal: Sequence[str] | None = None
) -> Source:
    """``builtin`` for the photographs that come with scikit-image, or what lies at a path or URL.

    ``normal`` names the folders of good products there, by names or globs.

    Raises InputError where nothing is there, and for a category that is not.
    """
    wanted = list(categories) if categories else None
    if name != "builtin":
        return source_for(name, wanted, normal)
    there = get_args(Photograph)
    for each in wanted or ():
        if each not in there:
            raise InputError(
                f"category {each}: no such photograph is built in{nearest_name(each, there)}; there are "
                f"{', '.join(there)}"
            )
    return BuiltinSource.model_validate({"categories": wanted} if wanted else {})

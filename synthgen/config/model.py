"""What every model of the package is that a file, a request or a record is read into."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """A model that cannot be changed and takes no unknown field; docstrings below fields describe them."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """Old spellings of fields, and of values as ``field: value``, with the new ones, for messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

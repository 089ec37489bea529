"""Where normal images come from: one kind of source a file."""

from typing import Annotated

from pydantic import Field

from synthgen.sources.base import Entry, Source
from synthgen.sources.btad import BtadSource
from synthgen.sources.builtin import BuiltinSource
from synthgen.sources.folder import FolderSource
from synthgen.sources.mpdd import MpddSource
from synthgen.sources.mvtec import MvtecSource
from synthgen.sources.visa import VisaSource
from synthgen.sources.webdataset import WebDatasetSource

AnySource = Annotated[
    FolderSource | MvtecSource | MpddSource | VisaSource | BtadSource | WebDatasetSource | BuiltinSource,
    Field(discriminator="kind"),
]

__all__ = [
    "AnySource",
    "BtadSource",
    "BuiltinSource",
    "Entry",
    "FolderSource",
    "MpddSource",
    "MvtecSource",
    "Source",
    "VisaSource",
    "WebDatasetSource",
]

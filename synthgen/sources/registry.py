"""The table of all sources: ours, and those that other packages add."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from synthgen.runtime.entry_points import merged
from synthgen.sources.base import Source
from synthgen.sources.btad import BtadSource
from synthgen.sources.builtin import BuiltinSource
from synthgen.sources.folder import FolderSource
from synthgen.sources.folders import FoldersSource
from synthgen.sources.mpdd import MpddSource
from synthgen.sources.mvtec import MvtecSource
from synthgen.sources.visa import VisaSource
from synthgen.sources.webdataset import WebDatasetSource

SOURCES: dict[str, type[Source]] = merged(
    {
        "visa": VisaSource,
        "btad": BtadSource,
        "mvtec": MvtecSource,
        "mpdd": MpddSource,
        "webdataset": WebDatasetSource,
        "folders": FoldersSource,
        "folder": FolderSource,
        "builtin": BuiltinSource,
    },
    "synthgen.sources",
    Source,
    lambda source: str(source.model_fields["kind"].default),
)
"""Every source's class by its ``kind``, in the order in which they are asked whether they are at a root.

A data set in MVTec's layout is one of MVTec's unless it is BTAD's, which calls its normal images ``ok``.
"""

if TYPE_CHECKING:
    AnySource = Source
else:
    AnySource = Annotated[reduce(or_, SOURCES.values()), Field(discriminator="kind")]

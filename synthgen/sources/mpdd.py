"""The layout of MPDD (Jezek et al. 2021): ``<category>/train/good`` and ``<category>/test``."""

from typing import ClassVar, Literal

from synthgen.sources.category_folders import CategorySource


class MpddSource(CategorySource):
    """Training-normal images below ``<category>/train/good``, test images below ``<category>/test``."""

    normal_name: ClassVar[str] = "good"

    kind: Literal["mpdd"] = "mpdd"

"""The layout of MPDD (Jezek et al. 2021): ``<category>/train/good``."""

from typing import ClassVar, Literal

from synthgen.sources.category_folders import CategorySource


class MpddSource(CategorySource):
    """Training-normal images below ``<category>/train/good``."""

    normal_folder: ClassVar[str] = "train/good"

    kind: Literal["mpdd"] = "mpdd"

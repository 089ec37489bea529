"""The layout of MVTec AD (Bergmann et al. 2019): ``<category>/train/good``."""

from typing import ClassVar, Literal

from synthgen.sources.category_folders import CategorySource


class MvtecSource(CategorySource):
    """Training-normal images below ``<category>/train/good``."""

    normal_folder: ClassVar[str] = "train/good"

    kind: Literal["mvtec"] = "mvtec"

"""The layout of MVTec AD (Bergmann et al. 2019): ``<category>/train/good`` and ``<category>/test``."""

from typing import ClassVar, Literal

from synthgen.sources.category_folders import CategorySource


class MvtecSource(CategorySource):
    """Training-normal images below ``<category>/train/good``, test images below ``<category>/test``."""

    normal_name: ClassVar[str] = "good"

    kind: Literal["mvtec"] = "mvtec"

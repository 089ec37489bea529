"""The layout of BTAD (Mishra et al. 2021): ``<category>/train/ok``."""

from typing import ClassVar, Literal

from synthgen.sources.category_folders import CategorySource


class BtadSource(CategorySource):
    """Training-normal images below ``<category>/train/ok``."""

    normal_folder: ClassVar[str] = "train/ok"

    kind: Literal["btad"] = "btad"

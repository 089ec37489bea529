"""The layout of BTAD (Mishra et al. 2021): MVTec AD's, but normal images are called ``ok``."""

from typing import ClassVar, Literal

from synthgen.sources.category_folders import CategorySource, test_folders
from synthgen.storage.root import Root


class BtadSource(CategorySource):
    """Training-normal images below ``<category>/train/ok``, test images below ``<category>/test``."""

    normal_name: ClassVar[str] = "ok"

    kind: Literal["btad"] = "btad"

    @classmethod
    def has_tests_at(cls, root: Root) -> bool:
        """Whether there are test images, and somewhere normal ones called ``ok``."""
        return any(
            root.is_folder(f"{place}{part}/{cls.normal_name}")
            for _, place in test_folders(root)
            for part in ("train", "test")
        )

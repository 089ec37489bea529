"""CutPaste: a rectangle of the product, recoloured, in another place (Li et al., CVPR 2021, section 2.2)."""

from typing import ClassVar, Literal

import numpy as np

from synthgen.images.pixels import Pixels
from synthgen.synthesizers.common.patch import AreaPatchSynthesizer


class CutPaste(AreaPatchSynthesizer):
    """Paste a jittered rectangle of the product onto another place of it."""

    title: ClassVar[str] = "Paste a rectangle of the product onto another place of it"

    method: Literal["cutpaste"] = "cutpaste"

    @classmethod
    def shape(cls, width: int, height: int) -> Pixels:
        """The whole rectangle."""
        return np.full((height, width), 255, np.uint8)

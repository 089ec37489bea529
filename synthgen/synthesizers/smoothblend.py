"""SmoothBlend: a patch blended in through a Gaussian (SPD, Zou et al., ECCV 2022, section 3.2).

No official code is public. The Gaussian has sigma 0.5 over [-1, 1] x [-1, 1] and is 1 in the centre. At the
patch's edge it is still 0.135, which would show as a faint box, so it is rescaled to reach 0 there; the mask
is the ellipse that is left.
"""

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Pixels
from synthgen.synthesizers.common.patch import AreaPatchSynthesizer

SIGMA = 0.5


class SmoothBlend(AreaPatchSynthesizer):
    """Blend a jittered patch of the product into another place of it, ever weaker towards its edge."""

    title: ClassVar[str] = "Blend a patch of the product into another place of it, with soft edges"

    method: Literal["smoothblend"] = "smoothblend"

    @classmethod
    def shape(cls, width: int, height: int) -> Pixels:
        """The rescaled Gaussian: 255 in the centre, 0 at the edge's middle and beyond."""
        return gaussian_alpha(width, height)


def gaussian_alpha(width: int, height: int) -> Pixels:
    """(exp(-r² / 2 sigma²) - e) / (1 - e) with e its value at r = 1, as (height, width) 255ths."""
    edge = np.exp(-0.5 / SIGMA**2)
    across, down = _bell(width), _bell(height)
    return np.rint(np.maximum((np.outer(down, across) - edge) / (1 - edge), 0) * 255).astype(np.uint8)


def _bell(length: int) -> npt.NDArray[np.float64]:
    # Pixel centres: the edge of the patch, at -1 and 1, lies half a pixel outside of the first and last.
    position = (np.arange(length) + 0.5) / length * 2 - 1
    return np.exp(-0.5 * (position / SIGMA) ** 2)

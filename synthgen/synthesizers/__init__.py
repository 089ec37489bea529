"""The synthesizers, one method a file. A new one is its file and a line here."""

from typing import Annotated, Any, get_args

from pydantic import Field

from synthgen.synthesizers.base import Synthesizer
from synthgen.synthesizers.cutout import Cutout
from synthgen.synthesizers.cutpaste import CutPaste
from synthgen.synthesizers.nsa import Nsa
from synthgen.synthesizers.perlin_self_shuffle import PerlinSelfShuffle
from synthgen.synthesizers.perlin_texture import PerlinTexture
from synthgen.synthesizers.scar import Scar
from synthgen.synthesizers.sdas import Sdas
from synthgen.synthesizers.sdas_image import SdasImage
from synthgen.synthesizers.sdas_local import SdasLocal
from synthgen.synthesizers.smoothblend import SmoothBlend

_Union = (
    CutPaste
    | Scar
    | SmoothBlend
    | PerlinTexture
    | PerlinSelfShuffle
    | Nsa
    | Cutout
    | Sdas
    | SdasImage
    | SdasLocal
)

AnySynthesizer = Annotated[_Union, Field(discriminator="method")]

METHODS: dict[str, type[Synthesizer[Any]]] = {
    kind.model_fields["method"].default: kind for kind in get_args(_Union)
}
"""Every synthesizer's class by its method name."""

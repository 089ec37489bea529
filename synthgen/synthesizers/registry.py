"""All synthesizers by their method's name, those of other packages included."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from synthgen.runtime.entry_points import merged
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

SYNTHESIZERS: dict[str, type[Synthesizer[Any]]] = merged(
    {
        "cutpaste": CutPaste,
        "scar": Scar,
        "smoothblend": SmoothBlend,
        "perlin-texture": PerlinTexture,
        "perlin-self-shuffle": PerlinSelfShuffle,
        "nsa": Nsa,
        "cutout": Cutout,
        "sdas": Sdas,
        "sdas-image": SdasImage,
        "sdas-local": SdasLocal,
    },
    "synthgen.synthesizers",
    Synthesizer,
    lambda synthesizer: str(synthesizer.model_fields["method"].default),
)

if TYPE_CHECKING:
    AnySynthesizer = Synthesizer[Any]
else:
    AnySynthesizer = Annotated[reduce(or_, SYNTHESIZERS.values()), Field(discriminator="method")]
"""A recipe's field: any of them, chosen by its method."""

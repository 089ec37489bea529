"""What every synthesizer is: a record of ranges that draws numbers, and makes defects from numbers alone."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from synthgen.defect import Defect
from synthgen.scene import Scene
from synthgen.streams import Stream


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"a range is [low, high], and {bounds[0]:g} is above {bounds[1]:g}")
    return bounds


NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
PositiveRange = Annotated[
    tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]], AfterValidator(_ascending)
]
NonNegativeRange = Annotated[tuple[NonNegative, NonNegative], AfterValidator(_ascending)]
ShareRange = Annotated[tuple[Share, Share], AfterValidator(_ascending)]
Opacity = Annotated[float, Field(gt=0, le=1)]
OpacityRange = Annotated[tuple[Opacity, Opacity], AfterValidator(_ascending)]


class Params(BaseModel):
    """Every random decision of one defect; enough to make it again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delta: float
    """Opacity: the weight of the anomaly, 0–1."""

    @property
    def strength(self) -> float:
        """The number the recipe calls strength: ``delta`` here, ``s`` for diffusion."""
        return self.delta

    def needs(self) -> set[str]:
        """The sha256 of every other file (peer image or texture) that ``make`` will read."""
        return set()


class Synthesizer[P: Params](BaseModel):
    """A method with its ranges, as it stands in a recipe.

    ``draw`` takes every random decision for one sample; ``make`` is deterministic, works on a batch and
    uses the drawn parameters alone, never the recipe's ranges, so that a stored record can be rendered again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    strength_kind: ClassVar[Literal["delta", "s"]] = "delta"
    params_type: ClassVar[type[Params]]

    method: str
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """How often the method is used, relative to the others of the recipe."""
    delta: OpacityRange = (1.0, 1.0)
    """Opacity of the anomaly (weight of the anomaly), drawn uniformly."""

    @abstractmethod
    def draw(self, stream: Stream, scene: Scene) -> P:
        """Take every random decision for one defect on ``scene``."""

    @classmethod
    @abstractmethod
    def make(cls, scenes: Sequence[Scene], params: Sequence[P], device: str) -> list[Defect]:
        """Make one defect for each scene. ``device`` is where heavy fields and networks run."""

    @classmethod
    def parse_params(cls, text: str) -> Params:
        """Read back the parameters that a shard stores."""
        return cls.params_type.model_validate_json(text)

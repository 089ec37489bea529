"""What every synthesizer is: a record of ranges that draws numbers, and makes defects from numbers alone."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.config.ranges import PositiveShareRange, Share
from synthgen.defect import Composite, Defect, composite, full_frame
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.ingredients import Ingredients


class Params(FrozenModel):
    """Every random decision of one defect; enough to make it again."""

    delta: float
    """Opacity: the weight of the anomaly, 0–1."""

    @property
    def strength(self) -> float:
        """The number the recipe calls strength: ``delta`` here, ``s`` for diffusion."""
        return self.delta

    def needs(self) -> set[str]:
        """The sha256 of every other file (peer image or texture) that ``make`` will read."""
        return set()


P = TypeVar("P", bound=Params)


class Synthesizer(FrozenModel, Generic[P]):
    """A method with its ranges, as it stands in a recipe.

    ``draw`` takes every random decision for one sample; ``make`` is deterministic, works on a batch and
    uses the drawn parameters alone, never the recipe's ranges, so that a stored record can be rendered again.
    """

    title: ClassVar[str]
    """What the method does, for people who know no papers: sentence case, no full stop."""
    strength_name: ClassVar[Literal["delta", "s"]] = "delta"
    params_type: ClassVar[type[Params]]
    paired: ClassVar[bool] = True
    """Whether the normal image shows outside of the mask; where it does not, the mask is the whole image."""
    runs_network: ClassVar[bool] = False
    """Whether ``make`` runs a neural network, of which a GPU needs only one."""
    imports: ClassVar[tuple[str, ...]] = ()
    """Heavy libraries that ``make`` needs."""

    method: str
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """How often the method is used, relative to the others of the recipe."""
    delta: PositiveShareRange = (1.0, 1.0)
    """Opacity of the anomaly, [low, high]: its weight in the blend, above 0 to 1, drawn uniformly."""
    min_overlap: Share = 0.0
    """Least share of the drawn defect that must lie on the foreground, before it is clipped to it, 0 to 1."""

    @classmethod
    def __class_getitem__(cls, typevar_values: Any) -> Any:
        """The class itself: P is there for type checkers, and pydantic would build a class for each P."""
        return cls

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Raise TypeError for a class with a method name and no title."""
        if not cls.model_fields["method"].is_required() and not getattr(cls, "title", ""):
            raise TypeError(f"{cls.__name__}: a synthesizer needs a title, a ClassVar[str]; give it one")

    def collections(self) -> set[str]:
        """The texture collections that the method draws from; they are pinned in the plan."""
        return set()

    def models(self) -> set[str]:
        """The diffusion models that the method draws from; they are pinned in the plan."""
        return set()

    def banks(self) -> set[str]:
        """The banks of stored images that the method draws from; they are pinned in the plan."""
        return set()

    def needs_other_images(self) -> bool:
        """Whether the method takes pixels of another image of the same product."""
        return False

    def require_packages(self) -> None:
        """Raise InputError where an optional package that the method runs on is not installed."""

    def check(self, ingredients: Ingredients) -> None:
        """Raise InputError where the method cannot serve the plan's images."""

    def pinned(self, ingredients: Ingredients) -> dict[str, Any]:
        """The fields as JSON values, with what was pinned in place of what they name.

        Two plans whose synthesizers are pinned alike make the same defects, wherever their files lie.
        """
        return self.model_dump(mode="json")

    @abstractmethod
    def draw(self, stream: Stream, scene: Scene) -> P:
        """Take every random decision for one defect on ``scene``."""

    @classmethod
    @abstractmethod
    def make(cls, scenes: Sequence[Scene], params: Sequence[P], device: str) -> Iterable[Defect]:
        """Make one defect for each scene, in their order. ``device`` is where heavy fields and networks run.

        They may be made one after the other while the caller takes them, which keeps a batch small.
        """

    @classmethod
    def compose(cls, scene: Scene, defect: Defect) -> Composite:
        """Write a defect into its scene."""
        return composite(scene, defect) if cls.paired else full_frame(scene, defect)

    @classmethod
    def parse_params(cls, text: str) -> Params:
        """Read back the parameters that a shard stores."""
        return cls.params_type.model_validate_json(text)

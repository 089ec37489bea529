"""What worker processes are sent and what they send back; everything here travels between processes."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.shards.writer import Block

Encoding = Literal["block", "json", "image", "multipart"]
"""How samples stand in a response: as a piece of a tar, JSON, one image, or parts of a multipart message."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The samples of a plan that the service holds."""

    name: str

    @property
    def upload_bytes(self) -> int:
        """Bytes that a request for them brings."""
        return 0


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The samples of a recipe on uploaded images."""

    recipe: Recipe
    """Its source is replaced by the images."""
    category: str
    images: tuple[bytes, ...] = field(repr=False)

    @property
    def upload_bytes(self) -> int:
        """Bytes that a request for them brings."""
        return sum(map(len, self.images))


Origin = Stored | Uploaded


@dataclass(frozen=True, slots=True)
class Job:
    """Some samples of one plan, small enough to be made at once."""

    number: int
    origin: Origin
    indices: range
    encoding: Encoding
    batch_key: Hashable
    """Jobs with the same key, that is of the same methods and size, are done together."""
    most_together: int
    """Most samples of its key that are made together."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs that are done together; and plans that they name for the first time."""

    jobs: tuple[Job, ...]
    plans: dict[str, Plan]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Samples as they stand in a response, and the facts of each as JSON without the drawn parameters."""

    data: bytes | memoryview
    facts: list[str]


@dataclass(frozen=True, slots=True)
class Done:
    """A job's samples, and the fingerprint of their plan."""

    number: int
    fingerprint: str
    made: Block | Encoded
    apart: int = 0
    """Bytes of the samples that follow in shared memory, while this is on its way."""

    @property
    def samples(self) -> int:
        """How many samples these are."""
        return len(self.made.facts)


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a job could not be done; ``faults`` are (field, what is wrong)."""

    number: int
    detail: str
    is_input: bool
    """Whether the request is to blame."""
    faults: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Timed:
    """A batch is done: how many samples it had, and the seconds of each stage."""

    samples: int
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Ready:
    """A process has what it needs."""


Message = Done | Failed | Timed | Ready

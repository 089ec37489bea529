"""What every source of normal images is: a description that lists entries and reads their bytes."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from synthgen.config.model import FrozenModel


@dataclass(frozen=True, slots=True)
class Entry:
    """One training-normal image: its path relative to the source's root (POSIX) and its category."""

    path: str
    category: str


class Source(FrozenModel):
    """Where normal images come from. Only training-normal images are ever listed."""

    threads: ClassVar[int | None] = None
    """How many images are read and decoded at a time; None: as many as suits the machine."""

    kind: str
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the normal images that is set aside for judging detectors, 0 to below 1."""

    @abstractmethod
    def entries(self) -> Sequence[Entry]:
        """List the normal images in one order on every machine (sorted by category, then path).

        Raises InputError where the layout is not there or holds no image.
        """

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image. Raises OSError where it cannot be read."""

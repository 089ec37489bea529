"""What an engine is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from synthgen.plan.plan import Plan
from synthgen.shards.mark import Mark

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class News:
    """News from a running engine: samples made since the last news, and the shard just finished, if any."""

    samples: int = 0
    finished: Mark | None = None
    node: str = ""
    """The machine that finished it, where there are several."""


class Engine(ABC):
    """Makes shards of a plan and writes them, with their marks, to an output directory."""

    @abstractmethod
    def run(self, plan: Plan, url: str, shards: Sequence[int]) -> Iterator[News]:
        """Make the shards, in any order, and yield the news. Closing the iterator stops the work.

        Raises SynthgenError where a shard cannot be made; what was finished stays.
        """

    @abstractmethod
    def perform(self, perform: Callable[[T], None], tasks: Sequence[T]) -> Generator[T]:
        """Perform tasks, in any order, and yield each when it is done. Closing the iterator stops the work.

        ``perform`` is a function of a module, and what it makes it leaves in files. Raises what a task
        raises, and RunError where a worker dies that nobody replaces.
        """

"""How long work reports how far it has come: to whoever hands in a way to show it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, int], None]
"""Called with (done, total), 0 <= done <= total; a smaller done than the last one begins the next part."""

Stages = Callable[[str, str], AbstractContextManager[Progress]]
"""Opens a stage of the work by what it does and what it counts, such as ("reading", "images")."""


@contextmanager
def silent(what: str, unit: str) -> Iterator[Progress]:
    """A stage that nobody watches."""
    yield lambda done, total: None

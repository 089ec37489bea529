"""The batches of a training, drawn by a thread while the device is busy with the one before."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias

from synthgen.diffusion.training.images import Classes
from synthgen.images.pixels import Pixels
from synthgen.streams import Stream

Place: TypeAlias = tuple[int, int]
"""The number of an update, and of its part."""


class Drawn(NamedTuple):
    """Views (B, S, S, C) uint8 and their classes (B,), and the stream that the rest is drawn from."""

    pixels: Pixels
    classes: Classes
    stream: Stream


class BatchesAhead:
    """Draws batches; ``ahead`` also the one that is likely to come next, before it is asked for."""

    def __init__(self, draw: Callable[[int, int], Drawn], ahead: bool) -> None:
        self._draw = draw
        self._thread = ThreadPoolExecutor(1) if ahead else None
        self._next: tuple[Place, Future[Drawn]] | None = None

    def take(self, place: Place, following: Place) -> Drawn:
        """The batch of one place; ``following`` is likely to be asked for next."""
        begun = self._next
        drawn = begun[1].result() if begun and begun[0] == place else self._draw(*place)
        if self._thread:
            self._next = following, self._thread.submit(self._draw, *following)
        return drawn

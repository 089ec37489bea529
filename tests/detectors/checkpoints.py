"""A checkpoint in memory, of a fit that is killed."""

from synthgen.detectors.base import State


class KilledError(Exception):
    """The process is killed."""


class KilledCheckpoint:
    """Keeps the last state; the process is killed once it has kept ``most`` of them."""

    def __init__(self, most: int) -> None:
        self.most: int | None = most
        self.count = 0
        self.state: State | None = None

    def load(self) -> State | None:
        return self.state

    def save(self, state: State) -> None:
        self.count += 1
        self.state = {name: value.clone() for name, value in state.items()}
        if self.count == self.most:
            raise KilledError

"""Where a fit keeps what it has learned so far, so that one that was killed goes on to the same end."""

from typing import Protocol

from torch import Tensor


class Checkpoint(Protocol):
    """One place, with at most one state in it; what is in it is whole."""

    def load(self) -> dict[str, Tensor] | None:
        """The state that was kept last, on the CPU; None where there is none."""

    def save(self, state: dict[str, Tensor]) -> None:
        """Keep a state in place of the last one."""


class NoCheckpoint:
    """Keeps nothing."""

    def load(self) -> dict[str, Tensor] | None:
        """None."""
        return None

    def save(self, state: dict[str, Tensor]) -> None:
        """Do nothing."""

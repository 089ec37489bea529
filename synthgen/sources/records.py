"""What a plan records of the files of a source."""

from typing import Literal

from synthgen.config.model import FrozenModel


class PinnedFile(FrozenModel):
    """A file that samples depend on: its path below its own root, and the hash of its bytes."""

    path: str
    sha256: str


class NormalImage(PinnedFile):
    """A normal image: what it is and on which side of the train / held-out split it stands."""

    category: str
    split: Literal["train", "held-out"]
    foreground_mask: PinnedFile | None = None
    """The user's own mask, where the recipe names a folder of masks."""


class RejectedFile(FrozenModel):
    """An image that cannot be used, and why."""

    path: str
    reason: str

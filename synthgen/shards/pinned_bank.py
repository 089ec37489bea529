"""What a plan pins of a bank of stored images; apart from the bank, whose own plan is one."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class PinnedBank(BaseModel):
    """A bank that samples depend on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprint: str
    """Of the plan that made it."""
    shards_sha256: str
    """Hash over the finished shards and their hashes."""
    size: tuple[int, int]
    """Height, width."""
    channels: Literal[1, 3]
    categories: list[str]

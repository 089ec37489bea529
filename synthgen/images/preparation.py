"""How decoded images become the normal images of samples."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MIN_SIDE = 16
"""The smallest side of an image that is read, and of a sample, pixels."""
MAX_SIDE = 8192
"""The largest side of a sample, pixels."""

Resize = Literal["whole", "crop"]
"""How an image gets the size of the samples: the whole of it resized, or its centre cut out."""
Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]


class Preparation(BaseModel):
    """How a decoded image becomes a sample's normal image."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    size: tuple[int, int]
    """Height, width."""
    resize: Resize
    channels: Literal[1, 3]
    """1 where every image of the source is grey, else 3 (RGB)."""
    depth16: tuple[int, int] | None = None
    """Of 16-bit images: this value and those below become 0, that value and those above 255."""

"""Real photographs that are installed with scikit-image, so that a first run needs no pictures."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from synthgen.images.decode import decode
from synthgen.images.pixels import Decoded
from synthgen.sources.base import Entry, Source

Photograph = Literal[
    "brick",
    "camera",
    "cat",
    "cell",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "immunohistochemistry",
    "retina",
]


class _Origin(NamedTuple):
    file: str
    suffix: Literal["pgm", "ppm"]
    quartered: bool = False


_ORIGINS: dict[str, _Origin] = {
    "brick": _Origin("brick.png", "pgm", quartered=True),
    "camera": _Origin("camera.png", "pgm"),
    "cat": _Origin("chelsea.png", "ppm"),
    "cell": _Origin("cell.png", "pgm"),
    "coffee": _Origin("coffee.png", "ppm"),
    "coins": _Origin("coins.png", "pgm"),
    "grass": _Origin("grass.png", "pgm", quartered=True),
    "gravel": _Origin("gravel.png", "pgm", quartered=True),
    "immunohistochemistry": _Origin("ihc.png", "ppm", quartered=True),
    "retina": _Origin("retina.jpg", "ppm"),
}


class BuiltinSource(Source):
    """Photographs of scikit-image, one category each.

    Textures are cut into 2 x 2 quarters, so that there is more than one image of the same product; objects
    are whole. Bytes are PGM and PPM, so that an image's hash depends on nothing but its pixels.
    """

    kind: Literal["builtin"] = "builtin"
    categories: list[Photograph] = Field(["brick", "grass", "gravel"], min_length=1)
    """The photographs to use."""

    def entries(self) -> Sequence[Entry]:
        """List the images, sorted by category and number; quarters are numbered row by row."""
        return [
            Entry(f"{category}/{number}.{_ORIGINS[category].suffix}", category)
            for category in sorted(set(self.categories))
            for number in range(4 if _ORIGINS[category].quartered else 1)
        ]

    def read(self, path: str) -> bytes:
        """The PGM (grey) or PPM (RGB) bytes of one listed image. Raises OSError for any other path."""
        if path not in {entry.path for entry in self.entries()}:
            raise OSError(f"{path} is not a built-in image of {', '.join(self.categories)}")
        category, _, name = path.partition("/")
        origin = _ORIGINS[category]
        pixels = _photograph(origin.file)
        if origin.quartered:
            row, column = divmod(int(name[0]), 2)
            height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
            pixels = pixels[row * height :, column * width :][:height, :width]
        return _portable(pixels)


def _photograph(file: str) -> Decoded:
    """Read the installed file itself: scikit-image's own functions may download."""
    from importlib.resources import files

    return decode((files("skimage") / "data" / file).read_bytes())


def _portable(pixels: Decoded) -> bytes:
    """Raw PGM or PPM bytes of an (H, W, C) uint8 image."""
    height, width, channels = pixels.shape
    return f"P{5 if channels == 1 else 6}\n{width} {height}\n255\n".encode() + pixels.tobytes()

"""One mask as people and tools save it, and what is no mask: the table for every reader of masks."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.images.test_decode import chunk, png, tiff

Array = npt.NDArray[Any]

SIDE = 64
MASK = np.zeros((SIDE, SIDE), np.bool_)
"""Of no symmetry, and with a hole."""
MASK[12:40, 8:50] = True
MASK[40:52, 20:28] = True
MASK[20:24, 30:44] = False

WHITE = np.where(MASK, 255, 0).astype(np.uint8)
ZERO = np.zeros_like(WHITE)
FULL = np.full_like(WHITE, 255)
CLASSES = np.where(MASK, np.uint8(1), np.uint8(0))
CLASSES[:, 25:][MASK[:, 25:]] = 2
CLASSES[40:][MASK[40:]] = 7


class Encoded(NamedTuple):
    """A file, with its name's ending."""

    suffix: str
    data: bytes


def pillow(pixels: Array, form: str = "PNG", mode: str | None = None, **options: Any) -> Encoded:
    """A file by Pillow."""
    return saved(Image.fromarray(pixels) if mode is None else Image.fromarray(pixels, mode), form, **options)


def saved(picture: Image.Image, form: str = "PNG", **options: Any) -> Encoded:
    """A file of a picture by Pillow."""
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    suffixes = {"JPEG": ".jpg", "TIFF": ".tif", "PPM": ".png"}  # the content tells
    return Encoded(suffixes.get(form, f".{form.lower()}"), buffer.getvalue())


def opencv(pixels: Array, suffix: str = ".png", *options: int) -> Encoded:
    """A file by OpenCV; channels are blue, green, red, alpha."""
    return Encoded(suffix, cv2.imencode(suffix, pixels, options)[1].tobytes())


def few_bits(values: Array, bits: int) -> Encoded:
    """A grey PNG of 1, 2 or 4 bits."""
    shifts = np.arange(8 - bits, -1, -bits)
    packed = (values.reshape(SIDE, -1, 8 // bits) << shifts).sum(axis=2).astype(np.uint8)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, bits, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))
    body = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return Encoded(".png", b"\x89PNG\r\n\x1a\n" + body)


def palette(
    indices: Array, colours: Sequence[tuple[int, int, int]], form: str = "PNG", **options: Any
) -> Encoded:
    """A file whose pixels are numbers of colours."""
    picture = Image.fromarray(indices.astype(np.uint8), "P")
    picture.putpalette([value for colour in colours for value in colour])
    return saved(picture, form, **options)


def grey_with_transparent(pixels: Array, value: int) -> Encoded:
    """A grey PNG that names one value as transparent."""
    return Encoded(".png", png(pixels[..., None], 0, chunk(b"tRNS", struct.pack(">H", value))))


def turned(form: str) -> Encoded:
    """A file that is stored turned by a quarter, and says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return pillow(np.ascontiguousarray(np.rot90(WHITE)), form, exif=exif)


def antialiased() -> Array:
    """The mask a quarter of a pixel aside, so that its upright edges are grey."""
    large = WHITE.repeat(4, axis=0).repeat(4, axis=1)
    return np.asarray(cv2.resize(np.roll(large, 1, axis=1), (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def noise(low: int = 1) -> Array:
    return np.random.default_rng(0).integers(low, 256, (SIDE, SIDE), np.uint8)


def hill(width: float) -> Array:
    """A probability map: highest in the middle, 0 at the border."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    return (255 * np.exp(-(rows**2 + columns**2) / (2 * width**2))).astype(np.uint8)


def rgba(red: Array, green: Array, blue: Array, alpha: Array) -> Array:
    return np.dstack([red, green, blue, alpha])


def frame() -> Array:
    """An alpha that is opaque all around the mask."""
    return FULL - WHITE


SPECK = np.where(MASK, 100, 0).astype(np.uint8)
SPECK[14, 14] = 255
SOFT = antialiased()
BLACK_WHITE = [(0, 0, 0), (255, 255, 255)]
DEEP = WHITE.astype(np.uint16) * 257
OPAQUE_BLACK_AROUND = np.zeros_like(WHITE)
OPAQUE_BLACK_AROUND[4:60, 4:60] = 255
"""A layer that is smaller than its canvas."""
CUT_OUT = np.where(MASK, noise(), 0).astype(np.uint8)

READ = {
    "grey 0/255, Pillow": pillow(WHITE),
    "grey 0/255, OpenCV": opencv(WHITE),
    "grey 0/1": pillow(CLASSES.clip(0, 1)),
    "grey 0/128": opencv(np.where(MASK, 128, 0).astype(np.uint8)),
    "class numbers": pillow(CLASSES),
    "class numbers, and 255 for what is uncertain": opencv(np.where(CLASSES == 7, 255, CLASSES)),
    "grey 100 with a white speck": pillow(SPECK),
    "1 bit, Pillow": pillow(MASK),
    "1 bit, OpenCV": opencv(WHITE, ".png", cv2.IMWRITE_PNG_BILEVEL, 1),
    "2 bits": few_bits(CLASSES.clip(0, 3), 2),
    "4 bits": few_bits(CLASSES, 4),
    "16 bits, 0/65535": opencv(DEEP),
    "16 bits, 0/1": pillow(MASK.astype(np.uint16)),
    "16 bits, class numbers, RGB": opencv(np.dstack([CLASSES.astype(np.uint16) * 300] * 3)),
    "RGB": pillow(np.dstack([WHITE] * 3)),
    "RGB, red": pillow(np.dstack([WHITE, ZERO, ZERO])),
    "RGB, 1 in the blue": opencv(np.dstack([MASK.astype(np.uint8), ZERO, ZERO])),
    "RGB, a colour for each class": pillow(
        np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0)] + [(0, 0, 9)] * 5, np.uint8)[CLASSES]
    ),
    "palette": palette(MASK, BLACK_WHITE),
    "palette of classes": palette(CLASSES, [(0, 0, 0), (128, 0, 0), (0, 128, 0), *[(0, 0, 128)] * 5]),
    "palette, TIFF": palette(MASK, BLACK_WHITE, "TIFF"),
    "palette, BMP": palette(CLASSES, [(0, 0, 0), (1, 1, 1), (2, 2, 2), *[(9, 0, 0)] * 5], "BMP"),
    "palette, 0 transparent": palette(MASK, BLACK_WHITE, transparency=0),
    "palette, 0 white and transparent": palette(MASK, [(255, 255, 255)] * 2, transparency=0),
    "BMP": opencv(WHITE, ".bmp"),
    "BMP, 1 bit": pillow(MASK, "BMP"),
    "BMP, RGB": pillow(np.dstack([WHITE] * 3), "BMP"),
    "TIFF": opencv(WHITE, ".tif"),
    "TIFF, 1 bit, LZW": pillow(MASK, "TIFF", compression="tiff_lzw"),
    "TIFF, 1 bit, group 4": pillow(MASK, "TIFF", compression="group4"),
    "TIFF, white is zero": Encoded(".tif", tiff(255 - WHITE[..., None], 0)),
    "TIFF, 16 bits": pillow(DEEP, "TIFF"),
    "TIFF of two pages": saved(
        Image.fromarray(WHITE), "TIFF", save_all=True, append_images=[Image.fromarray(255 - WHITE)]
    ),
    "WebP, lossless": pillow(np.dstack([WHITE] * 3), "WEBP", lossless=True),
    "WebP, lossless, OpenCV": opencv(np.dstack([WHITE] * 3), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
    "PGM": pillow(WHITE, "PPM"),
    "turned, PNG": turned("PNG"),
    "turned, TIFF": turned("TIFF"),
    "soft edges": pillow(SOFT),
    "soft edges, RGB": opencv(np.dstack([SOFT] * 3)),
    "soft edges, 16 bits": opencv(SOFT.astype(np.uint16) * 257),
    "all white": pillow(FULL),
    "all of one colour": pillow(np.dstack([ZERO, FULL, ZERO])),
    "RGBA, opaque": pillow(rgba(WHITE, WHITE, WHITE, FULL)),
    "RGBA, opaque, OpenCV": opencv(rgba(CLASSES, ZERO, ZERO, FULL)),
    "RGBA, half transparent all over": pillow(rgba(WHITE, ZERO, ZERO, np.full_like(WHITE, 128))),
    "RGBA, white on transparent": pillow(rgba(WHITE, WHITE, WHITE, WHITE)),
    "RGBA, red on transparent": pillow(rgba(WHITE, ZERO, ZERO, WHITE)),
    "RGBA, half transparent red on transparent": pillow(rgba(WHITE, ZERO, ZERO, WHITE // 2)),
    "RGBA, white on transparent white": pillow(rgba(FULL, FULL, FULL, WHITE)),
    "RGBA, black on transparent black": pillow(rgba(ZERO, ZERO, ZERO, WHITE)),
    "RGBA, black with soft edges": opencv(rgba(ZERO, ZERO, ZERO, SOFT)),
    "RGBA, white with soft edges": pillow(rgba(FULL, FULL, FULL, SOFT)),
    "RGBA, classes on transparent": pillow(rgba(CLASSES, ZERO, ZERO, WHITE)),
    "RGBA, classes on transparent white": pillow(
        rgba(np.where(MASK, CLASSES, 255).astype(np.uint8), *[FULL - WHITE] * 2, WHITE)
    ),
    "RGBA, white on black on transparent": pillow(rgba(WHITE, WHITE, WHITE, OPAQUE_BLACK_AROUND)),
    "RGBA, 16 bits": opencv(np.dstack([DEEP] * 4)),
    "RGBA, 16 bits, shape in the alpha": opencv(np.dstack([DEEP * 0] * 3 + [DEEP])),
    "RGBA, TIFF": pillow(rgba(WHITE, WHITE, WHITE, WHITE), "TIFF"),
    "RGBA, TIFF, OpenCV": opencv(rgba(WHITE, WHITE, WHITE, WHITE), ".tif"),
    "RGBA, WebP": pillow(rgba(FULL, FULL, FULL, WHITE), "WEBP", lossless=True),
    "grey and alpha": pillow(np.dstack([FULL, WHITE]), mode="LA"),
    "grey and alpha, black": pillow(np.dstack([ZERO, WHITE]), mode="LA"),
    "grey and alpha, TIFF": pillow(np.dstack([WHITE, WHITE]), "TIFF", mode="LA"),
    "grey and alpha, 16 bits": Encoded(".png", png(np.dstack([DEEP, DEEP]), 4)),
    "grey, 0 transparent": grey_with_transparent(WHITE, 0),
    "RGB, black transparent": Encoded(
        ".png", png(np.dstack([WHITE, WHITE, ZERO]), 2, chunk(b"tRNS", bytes(6)))
    ),
}
"""Encodings of `MASK`; those of `EVERYWHERE` mark all pixels."""
EVERYWHERE = ("all white", "all of one colour")


def expected(name: str) -> npt.NDArray[np.bool_]:
    """What an entry of `READ` marks."""
    if name in EVERYWHERE:
        return np.ones_like(MASK)
    return SOFT > 0 if "soft" in name else MASK


REFUSED = {
    "JPEG": (pillow(WHITE, "JPEG", quality=100), "a JPEG, which blurs"),
    "JPEG, RGB, OpenCV": (opencv(np.dstack([WHITE] * 3), ".jpg"), "a JPEG, which blurs"),
    "JPEG in a TIFF": (pillow(WHITE, "TIFF", compression="jpeg"), "TIFF with JPEG inside, which blurs"),
    "WebP, lossy": (pillow(np.dstack([WHITE] * 3), "WEBP", quality=90), "lossy WebP, which blurs"),
    "WebP, lossy, alpha": (pillow(np.dstack([WHITE] * 4), "WEBP"), "lossy WebP, which blurs"),
    "WebP, lossy, animated": (
        saved(Image.fromarray(WHITE), "WEBP", save_all=True, append_images=[Image.fromarray(FULL)]),
        "lossy WebP, which blurs",
    ),
    "a PNG that was a JPEG": (
        opencv(cv2.imdecode(cv2.imencode(".jpg", WHITE)[1], cv2.IMREAD_GRAYSCALE)),
        "faint values away from its edges",
    ),
    "classes 1 and 2 without 0": (pillow(np.where(MASK, 2, 1).astype(np.uint8)), r"none is 0 \(1, 2\)"),
    "grey on white": (pillow(np.where(MASK, 128, 255).astype(np.uint8)), r"none is 0 \(128, 255\)"),
    "red on green": (pillow(np.dstack([WHITE, FULL - WHITE, ZERO])), "several values and none is 0"),
    "classes 256 and 512 without 0": (opencv(np.where(MASK, 512, 256).astype(np.uint16)), r"\(256, 512\)"),
    "a photograph": (pillow(noise()), "none is 0"),
    "a photograph, RGB": (opencv(np.dstack([noise(), noise(), noise()])), "none is 0"),
    "a photograph with black pixels": (pillow(noise(0)), "as a photograph"),
    "a photograph, 16 bits": (opencv(noise(0).astype(np.uint16) * 16), "as a photograph"),
    "a photograph before black": (pillow(CUT_OUT), "as a photograph"),
    "a dark photograph": (
        pillow(np.random.default_rng(0).normal(0, 4, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)),
        "as a photograph",
    ),
    "a probability map": (pillow(hill(12)), "probability map"),
    "a narrow probability map": (opencv(hill(5)), "probability map"),
    "blurred": (opencv(cv2.GaussianBlur(WHITE, (0, 0), 4)), "change from pixel to pixel"),
    "RGBA, soft everywhere": (pillow(rgba(FULL, FULL, FULL, hill(12))), "probability map"),
    "RGBA, a photograph cut out": (pillow(rgba(CUT_OUT, CUT_OUT, CUT_OUT, WHITE)), "as a photograph"),
    "RGBA, a photograph over which the mask lies": (pillow(rgba(*[noise()] * 3, WHITE)), "as a photograph"),
    "palette, 0 white": (palette(~MASK, [(255, 255, 255), (0, 0, 0)]), "palette"),
    "palette of blacks": (palette(CLASSES, [(0, 0, 0)] * 8), "palette"),
    "palette of classes, one black": (palette(CLASSES, [(0, 0, 0)] * 7 + [(1, 1, 1)]), "palette"),
    "palette, 1 transparent": (palette(CLASSES, [*BLACK_WHITE, *[(9, 9, 9)] * 6], transparency=1), "hidden"),
    "palette, class 0 grey": (palette(CLASSES, [(7, 7, 7), *[(9, 9, 9)] * 7]), "none is 0"),
    "RGBA, transparent everywhere": (pillow(rgba(WHITE, WHITE, WHITE, ZERO)), "transparent everywhere"),
    "RGBA, white and transparent everywhere": (
        pillow(rgba(FULL, FULL, FULL, ZERO)),
        "transparent everywhere",
    ),
    "RGBA, black on transparent white": (pillow(rgba(*[FULL - WHITE] * 3, WHITE)), "hidden under"),
    "RGBA, white on a transparent shape": (
        pillow(rgba(WHITE, WHITE, WHITE, np.rot90(WHITE))),
        "hidden under",
    ),
    "RGBA, a hole in black": (pillow(rgba(ZERO, ZERO, ZERO, frame())), "black around a transparent part"),
    "grey, white transparent": (grey_with_transparent(WHITE, 255), "hidden under"),
    "grey and alpha, two shapes": (pillow(np.dstack([WHITE, np.rot90(WHITE)]), mode="LA"), "hidden under"),
    "float": (pillow(WHITE.astype(np.float32) / 255, "TIFF"), "float"),
    "a GIF": (Encoded(".png", saved(Image.fromarray(WHITE), "GIF").data), "starts with 'GIF"),
    "damaged": (Encoded(".png", pillow(WHITE).data[:60]), "damaged|truncated"),
}
"""What is no mask, or could be two, with a part of the sentence that says so."""

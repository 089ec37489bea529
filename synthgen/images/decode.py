"""Decoding images with guards.

Any decoder error on hostile bytes becomes an `UnusableImage`, so nothing here ends in a traceback.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images import netpbm
from synthgen.images.lossy import lossy_format
from synthgen.images.pixels import Decoded, Pixels
from synthgen.images.preparation import MIN_SIDE
from synthgen.images.tiff_tags import BITS, COMPRESSION, EXTRA_SAMPLES, PHOTOMETRIC, PIECES, PLANES, tiff_tag

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


MAX_BYTES = 256 * 1024 * 1024
MAX_MEGAPIXELS = 64
"""What is decoded unless a source says otherwise: small files can claim to be images that fill the memory."""
MOST_MEGAPIXELS = 1000
"""What a source may say at most: OpenCV decodes images of up to 2^30 pixels."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION_TAG = 0x0112


class UnusableImage(Exception):  # noqa: N818 - it is a finding, which freeze may record and pass over
    """An image that cannot be used; the message is the reason, one sentence without the file's name."""


class Stored(NamedTuple):
    """An image as its file stores it, upright."""

    samples: Decoded
    """(H, W, C), C = 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha)."""
    indices: Pixels | None
    """(H, W), the numbers of the colours in the image's palette, where it has one."""
    lossy: str | None
    """The format's name, where it changes values."""


def decode(data: bytes, max_megapixels: int = MAX_MEGAPIXELS) -> Decoded:
    """Decode PNG, JPEG, BMP, TIFF, WebP or binary PBM/PGM/PPM to (H, W, C), C = 1 (grey) or 3 (RGB).

    16-bit grey and RGB(A) PNG, TIFF and PGM/PPM stay uint16, everything else becomes uint8. The EXIF
    orientation is applied, alpha is composited over white, and of several frames the first is taken.
    Size and format are read from the header, and guarded, before any pixel is decoded. Raises UnusableImage,
    also for more than ``max_megapixels`` million pixels.
    """
    return _composite_over_white(decode_stored(data, max_megapixels).samples)


def decode_stored(data: bytes, max_megapixels: int = MAX_MEGAPIXELS) -> Stored:
    """Decode as `decode` does, and keep the alpha and the palette's numbers. Raises UnusableImage."""
    if len(data) > MAX_BYTES:
        raise UnusableImage(
            f"the file has over {MAX_BYTES} bytes; at most {MAX_BYTES} are read: save it with compression, "
            "such as PNG"
        )
    with _guarded():
        image = _open(data)
        _guard(image, data, max_megapixels)
        lossy = lossy_format(image, data)
        samples = _samples(image, data)
        indices = np.asarray(image.getchannel(0)) if image.mode in ("P", "PA") else None
        orientation = _orientation(image)
        return Stored(
            cast(Decoded, np.ascontiguousarray(_upright(samples, orientation))),
            None if indices is None else np.ascontiguousarray(_upright(indices, orientation)),
            lossy,
        )


def size_of(data: bytes) -> tuple[int, int]:
    """Height and width of an encoded image by its header, guarded as in `decode`, for a caller with a bound
    of its own on the pixels. Raises UnusableImage."""
    with _guarded():
        image = _open(data)
        _guard(image, data, MOST_MEGAPIXELS)
        width, height = image.size
        return height, width


def orientation_of(data: bytes) -> int:
    """The EXIF orientation of an encoded image, 1 (upright) to 8. Raises UnusableImage."""
    with _guarded():
        return _orientation(_open(data))


def has_more_pages(data: bytes) -> bool:
    """Whether an image that can be decoded holds pages or frames after the first one."""
    if not data.startswith((*_TIFF, b"\x89PNG", b"RIFF")):
        return False
    with _guarded():
        image = _open(data)
        if image.format == "TIFF":  # asked for their number, Pillow would read every page's tags
            return bool(image.tag_v2.next)  # type: ignore[attr-defined]
        return int(getattr(image, "n_frames", 1)) > 1


@contextmanager
def _guarded() -> Iterator[None]:
    """Say why an image cannot be used, whatever the decoders raise, and in silence."""
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow warns about damaged metadata on standard error; what matters is raised as an error.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            yield
        except UnusableImage:
            raise
        except Image.DecompressionBombError as error:  # some of Pillow's decoders have its limit as well
            raise UnusableImage(
                "the image has more pixels than Pillow decodes in this format (PIL.Image.MAX_IMAGE_PIXELS): "
                "make it smaller, or save it as PNG or TIFF"
            ) from error
        except Exception as error:  # a decoder fed with damaged bytes raises whatever it stumbles over
            raise UnusableImage(f"the image is damaged and cannot be decoded ({error})") from error


def _open(data: bytes) -> "ImageFile":
    """Read the header with the decoder that the first bytes name, whatever the file is called.

    The decoders are called directly because ``Image.open`` judges the size by its own limit first, takes more
    formats under the same names, and says of damaged bytes only at which address in memory they lie.
    """
    from PIL import (
        BmpImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        PpmImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    if not data:
        raise UnusableImage("the file is empty; an image is expected")
    stream = io.BytesIO(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile(stream)
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImagePlugin.JpegImageFile(stream)
    if data.startswith(b"BM"):
        return BmpImagePlugin.BmpImageFile(stream)
    if data.startswith(_TIFF):
        return TiffImagePlugin.TiffImageFile(stream)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile(stream)
    if data.startswith((b"P4", b"P5", b"P6")):
        return PpmImagePlugin.PpmImageFile(stream)
    if re.match(rb"P[123]\s", data):
        raise UnusableImage(
            f"the file is a {data[:2].decode()}, a text PBM, PGM or PPM; save it as a binary one (P4 to P6)"
        )
    start = ascii(data[:8].decode("latin-1"))
    raise UnusableImage(
        f"the file starts with {start}; a PNG, JPEG, BMP, TIFF, WebP or PBM/PGM/PPM image is expected"
    )


def _guard(image: "ImageFile", data: bytes, max_megapixels: int) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise UnusableImage(f"the image is {width} x {height} pixels; at least {MIN_SIDE} a side are needed")
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        setting = f", or set source.max_megapixels: {ceil(megapixels)} in the recipe"
        raise UnusableImage(
            f"the image is {width} x {height} pixels ({megapixels:.0f} megapixels); at most {max_megapixels} "
            f"are read: make it smaller{setting if megapixels <= MOST_MEGAPIXELS else ''}"
        )
    if image.format == "TIFF" and tiff_tag(image, COMPRESSION) != (1,):
        _guard_compressed_tiff(image, data)


def _guard_compressed_tiff(image: "ImageFile", data: bytes) -> None:
    # libtiff would report a short file on standard error, so it is not asked.
    for offset_tag, count_tag in PIECES:
        offsets, counts = tiff_tag(image, offset_tag), tiff_tag(image, count_tag)
        end = max((offset + count for offset, count in zip(offsets, counts, strict=False)), default=0)
        if end > len(data):
            raise UnusableImage(f"the file is truncated: {len(data)} bytes of at least {end}")


def _samples(image: "ImageFile", data: bytes) -> Decoded:
    """Decode to (H, W, C) with C = 1, 2 (grey, alpha), 3 or 4 (RGB, alpha)."""
    if image.format == "PPM" and image.mode != "1":
        return netpbm.samples(image, data)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _deep_grey(image)
    if _is_deep(image, data):
        return _deep_colour(image, data)
    if image.mode in ("I", "F"):
        raise UnusableImage("the image has signed, 32-bit or float values; 8 or 16 bits unsigned are read")
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.has_transparency_data:
        mode = "LA" if mode == "L" else "RGBA"
    pixels = np.asarray(image if image.mode == mode else image.convert(mode), np.uint8)
    return pixels.reshape(*pixels.shape[:2], -1)


def _is_deep(image: "ImageFile", data: bytes) -> bool:
    if image.format == "PNG":
        return data[24] == 16
    return 16 in tiff_tag(image, BITS) and image.mode not in ("I", "F")


def _deep_grey(image: "ImageFile") -> npt.NDArray[np.uint16]:
    """A 16-bit grey image with, for a PNG that names a transparent value, its alpha."""
    grey = np.asarray(image).astype(np.uint16)
    if 0 in tiff_tag(image, PHOTOMETRIC):  # white is zero
        grey = 65535 - grey
    transparent = image.info.get("transparency")
    if transparent is None:
        return grey[..., None]
    return np.dstack([grey, np.where(grey == transparent, np.uint16(0), np.uint16(65535))])


def _deep_colour(image: "ImageFile", data: bytes) -> npt.NDArray[np.uint16]:
    """A 16-bit image of several channels, by OpenCV: Pillow would leave 8 bits."""
    if image.mode not in ("RGB", "RGBA", "LA") or not set(tiff_tag(image, PHOTOMETRIC)) <= {2}:
        raise UnusableImage(f"the image is 16-bit {image.mode}; 16 bits are read in grey and RGB only")
    if 2 in tiff_tag(image, PLANES) or 1 in tiff_tag(image, EXTRA_SAMPLES):
        raise UnusableImage("the 16-bit TIFF has separate planes or premultiplied alpha; save it without")
    image.load()  # raises where the data are damaged, about which OpenCV would only print
    pixels = cast(npt.NDArray[np.uint16], cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
    if image.format == "PNG" and data[25] == 4:  # grey and alpha, which OpenCV reads as colour
        return pixels[..., [0, 3]]
    with_alpha = image.has_transparency_data and pixels.shape[2] == 4
    return pixels[..., [2, 1, 0, 3] if with_alpha else [2, 1, 0]]


def _composite_over_white(pixels: Decoded) -> Decoded:
    """Drop a second or fourth channel: (alpha * v + (white - alpha) * white) / white, rounded."""
    if pixels.shape[2] in (1, 3):
        return pixels
    white = np.uint32(np.iinfo(pixels.dtype).max)
    result = np.empty((*pixels.shape[:2], pixels.shape[2] - 1), pixels.dtype)
    for row, target in zip(pixels, result, strict=True):  # row by row, to bound the 32-bit intermediates
        alpha = row[:, -1:].astype(np.uint32)
        target[:] = (alpha * row[:, :-1] + (white - alpha) * white + white // 2) // white
    return result


def _orientation(image: "ImageFile") -> int:
    """The EXIF orientation that a loaded image still needs: 1 … 8."""
    # A TIFF is turned by Pillow and OpenCV while they load it, and Pillow then drops the tag.
    return int(image.getexif().get(_ORIENTATION_TAG, 1))


def _upright(pixels: Decoded, orientation: int) -> npt.NDArray[Any]:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels

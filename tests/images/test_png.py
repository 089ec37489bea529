"""The PNG encoder against OpenCV and Pillow, and its bands against the whole."""

import io
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from synthgen.images import png
from synthgen.images.pixels import Pixels


def picture(shape: tuple[int, ...], seed: int = 0) -> Pixels:
    noise = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0).reshape(shape)


SHAPES = [(256, 256, 3), (16, 16, 1), (17, 300, 3), (1000, 31, 1), (40, 50), (1, 1, 3), (9, 4000, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_other_decoders_read_the_same_pixels(shape: tuple[int, ...]) -> None:
    image = picture(shape)
    encoded = png.encode(image)
    by_pillow = np.asarray(Image.open(io.BytesIO(encoded)))
    by_opencv = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(by_pillow, image.squeeze(-1) if shape[-1] == 1 else image)
    assert np.array_equal(by_opencv, image[..., ::-1] if shape[-1] == 3 else by_pillow)


def test_the_stream_is_valid_zlib_with_the_right_checksum() -> None:
    image = picture((256, 256, 3))
    encoded = png.encode(image)
    body, position = b"", 8
    while position < len(encoded):
        length = int.from_bytes(encoded[position : position + 4], "big")
        kind = encoded[position + 4 : position + 8]
        data = encoded[position + 8 : position + 8 + length]
        checksum = encoded[position + 8 + length : position + 12 + length]
        assert zlib.crc32(kind + data) == int.from_bytes(checksum, "big")
        body += data if kind == b"IDAT" else b""
        position += 12 + length
    assert len(zlib.decompress(body)) == 256 * (256 * 3 + 1)  # zlib checks Adler-32 itself


@pytest.mark.parametrize(
    "rows", [(0, 1), (0, 256), (15, 16), (16, 17), (31, 33), (255, 256), (100, 140), (0, 0)]
)
@pytest.mark.parametrize("shape", [(256, 256, 3), (256, 256, 1), (256, 97, 3)])
def test_a_variant_has_the_bytes_of_a_whole_encoding(shape: tuple[int, ...], rows: tuple[int, int]) -> None:
    image, other = picture(shape), picture(shape, 1)
    variant = image.copy()
    variant[slice(*rows)] = other[slice(*rows)]
    banded = png.BandedPng(image)
    assert banded.encode_variant(variant, *rows) == png.encode(variant)
    assert banded.encode() == png.encode(image)


def test_a_mask_is_grey_and_lossless() -> None:
    mask = np.where(picture((300, 200)) > 127, np.uint8(255), np.uint8(0))
    opened = Image.open(io.BytesIO(png.encode_mask(mask)))
    assert opened.mode == "L"
    assert np.array_equal(np.asarray(opened), mask)


def test_the_same_pixels_become_the_same_bytes_wherever_they_are_encoded() -> None:
    """Another thread has other things in memory and registers: without the byte of history 3 to 8 differ."""
    images = np.random.default_rng(0).integers(0, 256, (30_000, 1, 64), dtype=np.uint8)
    images[..., 30:37] = images[..., 0:7]  # what is found again only if the first bytes were hashed rightly
    with ThreadPoolExecutor(1) as other:
        there = other.submit(lambda: [png.encode(image) for image in images])
        assert sum(a != b for a, b in zip(there.result(), map(png.encode, images), strict=True)) == 0

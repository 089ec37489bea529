"""A PNG encoder for images that differ from a known one in a few rows only.

The rows are filtered with UP and deflated in bands, each by a compressor of its own, so that a band's bytes
depend on its pixels and the row above alone. Bands that equal those of an already encoded image are copied
instead of compressed: a small defect costs a small part of a whole image, and the bytes are the same as
without the copy. (PNG 1.2, sections 9.2 and 10; deflate blocks end at a sync flush, RFC 1951, and the
checksum of the whole is combined from those of the bands, RFC 1950.)

A band begins with its first byte, always the same, in a stored block. The compressor is given that byte as
its history: without any history ISA-L hashes the third byte by whatever a register holds (as of 2.31, levels
1 and 2), so that once in some ten thousand bands the same pixels become other bytes.
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from synthgen.images.pixels import Pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BAND_BYTES = 12_288
LEVEL = 1
UP = b"\x02"
STORED_UP = b"\x00\x01\x00\xfe\xff" + UP
"""A deflate block that holds the one byte (RFC 1951, section 3.2.4)."""
ADLER_MODULUS = 65_521


@dataclass(frozen=True, slots=True)
class Band:
    """A finished IDAT chunk, with the Adler-32 and length of the filtered bytes inside."""

    chunk: bytes
    adler: int
    length: int


def encode(image: Pixels) -> bytes:
    """Encode (H, W), (H, W, 1) or (H, W, 3) uint8 as a grey or RGB PNG of 8 bits."""
    return _assemble(image, [_band(image, *rows) for rows in _band_rows(image.shape)])


def encode_mask(mask: Pixels) -> bytes:
    """Encode (H, W) uint8 in one piece: masks compress so well that bands would only cost time."""
    return _assemble(mask, [_band(mask, 0, mask.shape[0])])


class BandedPng:
    """An image's PNG, kept band by band to encode its variants fast. Bands are compressed when first used."""

    def __init__(self, image: Pixels) -> None:
        self._image = image
        self._rows = _band_rows(image.shape)
        self._bands: list[Band | None] = [None] * len(self._rows)

    def encode(self) -> bytes:
        """The PNG of the image itself; the same bytes as ``encode(image)``."""
        return self.encode_variant(self._image, 0, 0)

    def encode_variant(self, variant: Pixels, top: int, bottom: int) -> bytes:
        """The PNG of an image that equals the known one outside rows ``top`` … ``bottom - 1``.

        The same bytes as ``encode(variant)``.
        """
        bands = []
        for position, (first, last) in enumerate(self._rows):
            # A filtered row also depends on the row above it.
            if first <= bottom and top < last and top < bottom:
                bands.append(_band(variant, first, last))
            else:
                bands.append(self._known(position))
        return _assemble(variant, bands)

    def _known(self, position: int) -> Band:
        band = self._bands[position]
        if band is None:
            band = self._bands[position] = _band(self._image, *self._rows[position])
        return band


def _band_rows(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    height, row_bytes = shape[0], int(np.prod(shape[1:])) + 1
    step = max(8, -(-BAND_BYTES // row_bytes))
    return [(first, min(first + step, height)) for first in range(0, height, step)]


def _filter_up(image: Pixels, first: int, last: int) -> npt.NDArray[np.uint8]:
    rows = image.reshape(image.shape[0], -1)
    filtered = np.empty((last - first, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP[0]
    if first:
        np.subtract(rows[first:last], rows[first - 1 : last - 1], out=filtered[:, 1:])
    else:
        filtered[0, 1:] = rows[0]
        np.subtract(rows[1:last], rows[: last - 1], out=filtered[1:, 1:])
    return filtered


def _band(image: Pixels, first: int, last: int) -> Band:
    filtered = _filter_up(image, first, last)
    compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15, zdict=UP)
    rest = compressor.compress(filtered.reshape(-1)[1:]) + compressor.flush(isal_zlib.Z_SYNC_FLUSH)
    body = (b"\x78\x01" if first == 0 else b"") + STORED_UP + rest
    return Band(_chunk(b"IDAT", body), isal_zlib.adler32(filtered), filtered.size)


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = isal_zlib.crc32(body, isal_zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)))


def _assemble(image: Pixels, bands: list[Band]) -> bytes:
    height, width = image.shape[:2]
    colour_type = 2 if image.ndim == 3 and image.shape[2] == 3 else 0
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    end_of_stream = b"\x03\x00" + struct.pack(">I", _combined_adler(bands))
    return b"".join(
        (
            SIGNATURE,
            _chunk(b"IHDR", header),
            *(band.chunk for band in bands),
            _chunk(b"IDAT", end_of_stream),
            _chunk(b"IEND", b""),
        )
    )


def _combined_adler(bands: list[Band]) -> int:
    low, high = 1, 0
    for band in bands:
        band_low, band_high = band.adler & 0xFFFF, band.adler >> 16
        high = (high + band_high + band.length * (low - 1)) % ADLER_MODULUS
        low = (low + band_low - 1) % ADLER_MODULUS
    return (high << 16) | low

"""The lossy and the WebP encoder; PNG has a module of its own."""

import io

import cv2

from synthgen.images.pixels import Pixels

WEBP_SIDE = 16383
"""Most pixels of a side that the format can hold."""


def encode_jpeg(image: Pixels, quality: int) -> bytes:
    """JPEG bytes of an (H, W, C) image, grey or RGB; ``quality`` 1–100."""
    blue_first = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image
    _, data = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)


def encode_webp(image: Pixels) -> bytes:
    """Lossless WebP bytes of an (H, W, C) image; WebP has no grey, so grey is stored as equal channels."""
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.save(buffer, "WEBP", lossless=True, method=0, quality=0)
    return buffer.getvalue()

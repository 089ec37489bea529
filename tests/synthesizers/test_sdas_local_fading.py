"""The fading band of sdas-local: exact distances, the same bits in every call."""

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from synthgen.synthesizers.sdas_local import fading


def blobs(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).random((64, 64)).astype(np.float32)
    return (cv2.GaussianBlur(noise, (0, 0), 4) > 0.5).astype(np.uint8) * 255


def test_the_band_is_that_of_exact_distances() -> None:
    """Against scipy's transform, which is in double precision."""
    for seed in range(5):
        mask = blobs(seed)
        distance = distance_transform_edt(mask).astype(np.float32)
        share = np.minimum(distance / max(1.0, min(5.0, float(distance.max()))), 1.0)
        assert np.array_equal(fading(mask, 4.0), (share * share * (3 - 2 * share)).astype(np.float32))


def test_every_call_gives_the_same_bits_wherever_memory_lies() -> None:
    stream = np.random.default_rng(0)
    mask, held, found = blobs(1), [], set()
    for _ in range(300):
        held.append(np.empty(stream.integers(1, 60_000), np.uint8))
        if len(held) > 30:
            held.pop(stream.integers(30))
        found.add(fading(mask.copy(), 6.0).tobytes())
    assert len(found) == 1

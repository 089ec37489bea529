"""The rule for masks at its limits; `tests/test_masks.py` has the table of encodings."""

import io
import itertools
import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from synthgen.images import decode as decode_module
from synthgen.images.decode import UnusableImage
from synthgen.images.lossy import is_lossy_webp
from synthgen.images.masks import read_mask
from tests.masks import MASK, READ, WHITE, Array, opencv, palette, pillow

RESAMPLED = {
    "area": cv2.INTER_AREA,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


def drawn(side: int, thickness: int = -1) -> npt.NDArray[np.uint8]:
    """An ellipse and a line with soft edges, as OpenCV draws them."""
    canvas = np.zeros((side, side), np.uint8)
    at = side // 2
    cv2.ellipse(canvas, (at, at), (side // 3, side // 5), 30, 0, 360, 255, thickness, cv2.LINE_AA)
    cv2.line(canvas, (side // 8, side // 9), (side // 2, side // 12), 255, 1, cv2.LINE_AA)
    return canvas


def bottle_masks(data: Path) -> list[Path]:
    return sorted((data / "data/mvtec/bottle/ground_truth").rglob("*.png"))


@pytest.mark.parametrize("side", [48, 64, 300, 1000])
def test_soft_edges_belong_to_the_mask(side: int) -> None:
    for soft in (drawn(side), drawn(side, 1), drawn(side, 3)):
        np.testing.assert_array_equal(read_mask(opencv(soft).data), soft > 0)


@pytest.mark.parametrize("method", RESAMPLED)
@pytest.mark.parametrize("side", [40, 100, 400, 1024])
def test_a_resized_mask_is_read(method: str, side: int) -> None:
    for whole in (np.where(drawn(256) > 127, np.uint8(255), np.uint8(0)), drawn(256)):
        resized = cv2.resize(whole, (side, side), interpolation=RESAMPLED[method])
        np.testing.assert_array_equal(read_mask(opencv(resized).data), resized > 0)


@pytest.mark.parametrize("quality", [60, 75, 90, 95, 100])
@pytest.mark.parametrize("side", [64, 256, 1024])
def test_a_mask_that_was_a_jpeg_is_refused(quality: int, side: int) -> None:
    sharp = np.where(drawn(side) > 127, np.uint8(255), np.uint8(0))
    jpeg = cv2.imencode(".jpg", sharp, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    with pytest.raises(
        UnusableImage, match=r"faint values away .* threshold it at half|photograph .* threshold it"
    ):
        read_mask(opencv(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)).data)


@pytest.mark.parametrize("side", [256, 1024, 2200])
def test_a_probability_map_is_refused_at_any_size(side: int) -> None:
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    hill = (255 * np.exp(-(rows**2 + columns**2) / 0.02)).astype(np.uint8)
    with pytest.raises(UnusableImage, match="probability map"):
        read_mask(opencv(hill).data)


def test_a_gradient_so_slow_that_most_neighbours_are_equal_is_refused() -> None:
    ramp = np.tile(np.linspace(-10, 255, 2600).clip(0).astype(np.uint8), (32, 1))
    with pytest.raises(UnusableImage, match="probability map"):
        read_mask(opencv(ramp).data)


def test_faint_levels_at_an_edge_are_that_edge() -> None:
    """A rectangle that covers 3 % of the pixels on its left, and 97 % of those on its right."""
    covered = np.zeros((64, 64), np.uint8)
    covered[20:40, 20:40] = 255
    covered[20:40, 19], covered[20:40, 40] = 8, 247
    np.testing.assert_array_equal(read_mask(opencv(covered).data), covered > 0)


def test_many_classes_beside_each_other_are_read() -> None:
    tiles = np.add.outer(np.arange(256) // 16 * 3, np.arange(256) // 16).astype(np.uint8)
    assert len(np.unique(tiles)) > 50
    np.testing.assert_array_equal(read_mask(pillow(tiles).data), tiles > 0)


def test_a_palette_is_read_by_its_colours_and_its_numbers_must_agree() -> None:
    """Against the obvious rule, over every palette of three colours, black or white, and use of two."""
    read = 0
    for shown in itertools.product((0, 255), repeat=3):
        for outside, inside in itertools.permutations(range(3), 2):
            indices = np.where(MASK, inside, outside)
            data = palette(indices, [(level, level, level) for level in shown]).data
            seen = np.array(shown)[indices] > 0
            if np.array_equal(seen, indices > 0):
                np.testing.assert_array_equal(read_mask(data), seen)
                read += 1
            else:
                with pytest.raises(UnusableImage, match="palette"):
                    read_mask(data)
    assert read == 8 + 4, "0 is black and the other number white, or both are white and neither is 0"


SHAPES = (np.full_like(WHITE, 255), np.zeros_like(WHITE), WHITE, np.flipud(WHITE))


@pytest.mark.parametrize("alpha", [WHITE, np.flipud(WHITE)])
@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_colour_and_alpha_must_not_tell_of_two_shapes(number: int, alpha: Array) -> None:
    grey = SHAPES[number]
    data = pillow(np.dstack([grey, grey, grey, alpha])).data
    uniform = number < 2
    if uniform or np.array_equal(grey, alpha):
        np.testing.assert_array_equal(read_mask(data), alpha > 0)
    else:
        with pytest.raises(UnusableImage, match="hidden under"):
            read_mask(data)


def test_the_guards_of_images_hold_for_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = READ["grey 0/255, Pillow"].data
    monkeypatch.setattr(decode_module, "_samples", lambda image, data: pytest.fail("pixels were decoded"))
    with pytest.raises(UnusableImage, match="64 x 64 pixels"):
        read_mask(data, max_megapixels=0)


@pytest.mark.parametrize("name", [name for name in READ if "TIFF" not in name])
def test_damaged_masks_are_refused_or_read_but_nothing_else(name: str) -> None:
    random = np.random.default_rng(5)
    data = np.frombuffer(READ[name].data, np.uint8)
    for _ in range(25):
        damaged = data.copy()
        damaged[random.integers(0, len(data), 3)] = random.integers(0, 256, 3)
        try:
            assert read_mask(damaged.tobytes()).dtype == np.bool_
        except UnusableImage as error:
            assert "\n" not in str(error)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def test_a_webp_is_lossy_by_its_first_frame() -> None:
    assert is_lossy_webp(webp((b"VP8 ", b"...")))
    assert not is_lossy_webp(webp((b"VP8L", b"...")))
    assert is_lossy_webp(webp((b"VP8X", bytes(10)), (b"ALPH", b"abc"), (b"VP8 ", b"...")))
    lossless = (b"ANMF", bytes(16) + webp((b"VP8L", b"VP8 "))[12:])
    lossy = (b"ANMF", bytes(16) + webp((b"VP8 ", b"VP8L"))[12:])
    assert not is_lossy_webp(webp(lossless, lossy))
    assert is_lossy_webp(webp(lossy, lossless))
    assert not any(is_lossy_webp(webp((b"VP8X", bytes(10)), lossy)[:cut]) for cut in range(48))


@pytest.mark.needs_data
def test_real_masks_in_every_way_people_save_them(data: Path) -> None:
    paths = bottle_masks(data)
    assert len(paths) == 63
    for path in paths:
        pixels = np.asarray(Image.open(path))
        mask, white = pixels > 0, np.full_like(pixels, 255)
        for encoded in (
            path.read_bytes(),
            pillow(pixels // 255).data,
            pillow(mask).data,
            pillow(np.dstack([pixels] * 4)).data,
            pillow(np.dstack([white, pixels]), mode="LA").data,
            palette(mask, [(0, 0, 0), (255, 255, 255)], transparency=0).data,
            opencv(pixels.astype(np.uint16) * 257).data,
        ):
            np.testing.assert_array_equal(read_mask(encoded), mask)
        jpeg = io.BytesIO()
        Image.fromarray(pixels).save(jpeg, "JPEG")
        with pytest.raises(UnusableImage, match="faint values away"):
            read_mask(pillow(np.asarray(Image.open(jpeg))).data)


@pytest.mark.needs_data
@pytest.mark.parametrize("folder", ["mvtec/bottle/test", "magnetic_tile/test"])
def test_no_real_picture_is_a_mask(data: Path, folder: str) -> None:
    """Neither as it is, nor with its dark pixels made black."""
    paths = [path for path in sorted((data / "data" / folder).rglob("*.*"))[::7] if path.is_file()]
    assert len(paths) > 10
    for path in paths:
        pixels = np.asarray(Image.open(path))
        for picture in (pixels, np.where(pixels < 60, np.uint8(0), pixels)):
            with pytest.raises(UnusableImage, match="if this is a picture"):
                read_mask(pillow(picture).data)

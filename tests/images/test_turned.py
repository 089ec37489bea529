"""Pictures that EXIF turns beside masks that it does not: known, and told where sizes differ."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthgen.errors import InputError
from synthgen.evaluation.test_set import TestSet
from synthgen.images.decode import orientation_of
from synthgen.images.turned import turned_apart
from synthgen.pipeline.freeze import freeze
from synthgen.sources.base import TestImage
from tests.recipes import small_recipe


def encoded(form: str = "PNG", orientation: int | None = None, size: tuple[int, int] = (40, 30)) -> bytes:
    """A white rectangle on black, of ``size`` (width, height) as it is stored."""
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[size[1] // 4 : size[1] // 2, size[0] // 4 : size[0] // 2] = 255
    picture = Image.fromarray(pixels)
    buffer = io.BytesIO()
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    picture.save(buffer, form, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_the_orientation_is_read_from_the_header(form: str) -> None:
    assert orientation_of(encoded(form)) == 1
    assert [orientation_of(encoded(form, number)) for number in range(1, 9)] == list(range(1, 9))


def test_who_is_turned() -> None:
    image = "; EXIF turns the image (orientation {}) and not the mask, so turn the mask as well"
    mask = "; EXIF turns the mask (orientation {}) and not the image, so save the mask upright"
    for number in range(1, 9):
        sideways = number > 4
        turned = encoded("JPEG", number)
        assert turned_apart(turned, encoded()) == (image.format(number) if sideways else "")
        assert turned_apart(encoded(), turned) == (mask.format(number) if sideways else "")
        assert turned_apart(turned, turned) == ""


def test_the_sentences_of_foreground_masks_and_of_test_sets_say_so(tmp_path: Path) -> None:
    for folder, data in (("good", encoded("JPEG", 6)), ("masks", encoded())):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(data)
    turned = r"EXIF turns the image \(orientation 6\) and not the mask, so turn the mask as well"
    source = {"kind": "folder", "path": str(tmp_path / "good"), "held_out": 0}
    with pytest.raises(
        InputError, match=rf"the mask 1\.png is 40 x 30 pixels and its image 30 x 40; .*; {turned}"
    ):
        freeze(small_recipe(source=source, foreground={"masks": str(tmp_path / "masks")}))

    tests = TestSet("nut", (), lambda path: (tmp_path / path).read_bytes())
    with pytest.raises(
        InputError, match=rf"masks/1\.png is 40 x 30 pixels, its image .* 30 x 40; .*; {turned}"
    ):
        tests.truth(TestImage("good/1.png", "crack", True, "masks/1.png"), 32)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_mask_that_fits_the_upright_image_fits(tmp_path: Path, orientation: int) -> None:
    """The oracle is the same test set with the image saved upright."""
    sideways = orientation > 4
    (tmp_path / "turned.jpg").write_bytes(encoded("JPEG", orientation))
    upright = (30, 40) if sideways else (40, 30)
    (tmp_path / "mask.png").write_bytes(encoded(size=upright))
    tests = TestSet("nut", (), lambda path: (tmp_path / path).read_bytes())
    mask = tests.truth(TestImage("turned.jpg", "crack", True, "mask.png"), 32).mask
    (tmp_path / "upright.png").write_bytes(encoded(size=upright))
    expected = tests.truth(TestImage("upright.png", "crack", True, "mask.png"), 32).mask
    np.testing.assert_array_equal(mask, expected)

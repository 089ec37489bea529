"""The normal images of a product: no part, picture or pixel stands on both sides of the split."""

from pathlib import Path

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.sources.folder import FolderSource
from synthgen.validation.product import Normals, Product, read_product, require_rule
from tests.evaluation.sets import save


def pictures(folder: Path, names: list[str], side: int = 40) -> FolderSource:
    generator = np.random.default_rng(len(names))
    for name in names:
        save(folder / f"{name}.png", generator.integers(0, 256, (side, side, 3), np.uint8))
    return FolderSource(path=str(folder))


def read(source: FolderSource, tile: int | None = None, parts: str | None = None) -> Product:
    return read_product(source, "part", tile, parts, lambda done, total: None)


def pixels(normals: Normals) -> set[bytes]:
    return {image.tobytes() for image in normals.images}


def test_a_quarter_is_held_out_and_nothing_is_lost(tmp_path: Path) -> None:
    product = read(pictures(tmp_path, [f"{number:02}" for number in range(20)]))
    assert (len(product.learning), len(product.held_out)) == (15, 5)
    assert len(pixels(product.learning) | pixels(product.held_out)) == 20
    assert product.learning.images.shape[1:] == (256, 256, 3)


def test_the_split_does_not_depend_on_the_names(tmp_path: Path) -> None:
    names = [f"{number:02}" for number in range(12)]
    first = read(pictures(tmp_path / "a", names))
    second = read(pictures(tmp_path / "b", [f"other{name}" for name in names]))
    assert pixels(first.held_out) == pixels(second.held_out)


def test_the_pictures_of_a_part_stay_together(tmp_path: Path) -> None:
    source = pictures(tmp_path, [f"{part}_{view}" for part in range(8) for view in "abc"])
    product = read(source, parts=r"(\d+)_")
    assert set(product.held_out.parts) | set(product.learning.parts) == set("01234567")
    assert not set(product.held_out.parts) & set(product.learning.parts)
    assert len(product.held_out) == 6


def test_copies_stay_together_whatever_they_are_called(tmp_path: Path) -> None:
    pictures(tmp_path, [f"{number:02}" for number in range(10)])
    for number in range(10):
        (tmp_path / f"copy{number}.png").write_bytes((tmp_path / f"{number:02}.png").read_bytes())
    product = read(FolderSource(path=str(tmp_path)))
    assert not pixels(product.learning) & pixels(product.held_out)
    assert len(product.learning) + len(product.held_out) == 20


def test_tiles_share_no_pixel_and_cover_the_picture(tmp_path: Path) -> None:
    source = pictures(tmp_path, ["a", "b"], side=130)
    product = read(source, tile=32)
    assert len(product.learning) + len(product.held_out) == 2 * 16
    assert product.side == 32
    found = pixels(product.learning) | pixels(product.held_out)
    whole = np.random.default_rng(2).integers(0, 256, (130, 130, 3), np.uint8)
    assert whole[32:64, 96:128].tobytes() in found


def test_the_tiles_of_many_pictures_are_split_by_picture(tmp_path: Path) -> None:
    product = read(pictures(tmp_path, list("abcdefgh"), side=64), tile=32)
    assert sorted(set(product.held_out.parts)) == sorted(
        path for path in set(product.held_out.parts) if path not in product.learning.parts
    )
    assert len(set(product.held_out.parts)) == 2


@pytest.mark.parametrize("count", [1, 3, 7])
def test_too_few_pictures_are_refused(tmp_path: Path, count: int) -> None:
    source = pictures(tmp_path, [str(number) for number in range(count)])
    with pytest.raises(InputError, match=f"has {count} normal images of {count} parts; at least 8"):
        read(source)


def test_one_part_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="12 normal images of 1 parts"):
        read(pictures(tmp_path, [f"x{number}" for number in range(12)]), parts="x")


def test_a_rule_that_finds_nothing_is_refused(tmp_path: Path) -> None:
    source = pictures(tmp_path, [f"{number}" for number in range(9)])
    with pytest.raises(InputError, match=r"--parts serial: finds nothing in 0\.png"):
        read(source, parts="serial")


def test_a_rule_is_a_regular_expression() -> None:
    with pytest.raises(InputError, match=r"--parts \(: is no regular expression"):
        require_rule("(")


def test_tiles_larger_than_every_picture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--tile 64: no picture is that large"):
        read(pictures(tmp_path, ["a", "b"]), tile=64)

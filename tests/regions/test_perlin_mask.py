"""How Perlin masks are drawn and cut, against numpy on the fields and the package ``noise``."""

from collections import Counter
from typing import Any

import noise
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from synthgen.images.pixels import Pixels
from synthgen.regions.perlin_classic import Classic
from synthgen.regions.perlin_lattice import Lattice, lattice_fields
from synthgen.regions.perlin_mask import (
    AnyPerlinShape,
    ClassicShape,
    ClassicWindow,
    LatticeShape,
    PerlinMask,
    perlin_masks,
)
from synthgen.streams import Stream

HEIGHT, WIDTH = 48, 64


def stream(index: int) -> Stream:
    return Stream(2, index, "test")


def many(shape: LatticeShape | ClassicShape, count: int = 3000) -> list[PerlinMask]:
    return [shape.draw(stream(index)) for index in range(count)]


def cut(mask: PerlinMask, height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    return perlin_masks([mask], height, width, "cpu")[0]


def lattice(seed: int, cells: tuple[int, int] = (2, 4), rotation: float = 20) -> Lattice:
    return Lattice(cells=cells, seed=seed, rotation=rotation)


@pytest.mark.parametrize("threshold", [-0.2, 0.0, 0.3])
@pytest.mark.parametrize("combine", ["single", "union", "intersection"])
def test_fields_are_cut_and_combined(combine: Any, threshold: float) -> None:
    fields = [lattice(1), lattice(2, cells=(8, 1))][: 1 if combine == "single" else 2]
    values = lattice_fields(fields, HEIGHT, WIDTH, "cpu")
    above = np.stack([field > np.float32(threshold) for field in values])
    wanted = above.all(axis=0) if combine == "intersection" else above.any(axis=0)
    found = cut(PerlinMask(fields=fields, combine=combine, threshold=threshold))
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.where(wanted, 255, 0))
    assert 0 < np.count_nonzero(found) < found.size


def test_exactly_the_threshold_is_not_above_it() -> None:
    # A lattice point is 0 in every field; at 64 x 64 the points of 4 cells are every 16th pixel.
    found = cut(PerlinMask(fields=[lattice(1, (4, 4), 0)], combine="single", threshold=0), 64, 64)
    assert not found[::16, ::16].any()
    assert found.any()


def test_a_window_shows_the_classic_field_from_its_origin() -> None:
    window = ClassicWindow(field=Classic(octaves=3, base=3), origin=(10.25, 3.5), frequency=5.0)
    found = cut(PerlinMask(fields=[window], combine="single", threshold=0.1))
    step = 5.0 / min(HEIGHT, WIDTH)
    for row, column in np.ndindex(HEIGHT, WIDTH):
        y, x = np.float32(10.25 + row * step), np.float32(3.5 + column * step)
        value = noise.pnoise2(float(x), float(y), octaves=3, repeatx=1024, repeaty=1024, base=3)
        assert found[row, column] == (255 if value > np.float32(0.1) else 0)


def test_a_mixed_batch_gives_every_mask_its_own_fields() -> None:
    lattices, classic = (
        LatticeShape(combine="mixed", threshold=0.2),
        ClassicShape(field="classic", combine="union"),
    )
    masks = [
        mask for index in range(12) for mask in (lattices.draw(stream(index)), classic.draw(stream(index)))
    ]
    for mask, found in zip(masks, perlin_masks(masks, HEIGHT, WIDTH, "cpu"), strict=True):
        assert np.array_equal(found, cut(mask))


def test_a_lattice_is_drawn_over_its_whole_range() -> None:
    masks = many(LatticeShape())
    fields = [field for mask in masks for field in mask.fields if isinstance(field, Lattice)]
    for axis in (0, 1):
        counts = Counter(field.cells[axis] for field in fields)
        assert set(counts) == {1, 2, 4, 8, 16, 32}
        # 500 each; four standard errors.
        assert all(abs(count - 500) < 82 for count in counts.values())
    assert len({field.cells for field in fields}) == 36
    assert len({field.seed for field in fields}) == len(fields)
    turns = [field.rotation for field in fields]
    assert (min(turns), max(turns)) == (pytest.approx(-90, abs=1), pytest.approx(90, abs=1))
    assert all(mask.threshold == 0.5 and mask.combine == "single" for mask in masks)


def test_the_recipes_ranges_are_kept() -> None:
    for mask in many(LatticeShape(scales=(1, 2), rotation=(5, 6), threshold=0.4), 200):
        (field,) = mask.fields
        assert isinstance(field, Lattice)
        assert set(field.cells) <= {2, 4}
        assert 5 <= field.rotation < 6
        assert mask.threshold == 0.4


@pytest.mark.parametrize(
    "shape", [LatticeShape(combine="mixed"), ClassicShape(field="classic", combine="mixed")]
)
def test_mixed_is_a_third_each(shape: LatticeShape | ClassicShape) -> None:
    masks = many(shape)
    counts = Counter(mask.combine for mask in masks)
    assert set(counts) == {"single", "union", "intersection"}
    assert all(abs(count - 1000) < 104 for count in counts.values())
    for mask in masks:
        assert len(mask.fields) == (1 if mask.combine == "single" else 2)
        assert len({field.model_dump_json() for field in mask.fields}) == len(mask.fields)


def test_a_classic_window_is_drawn_over_its_whole_range() -> None:
    shape = ClassicShape(field="classic", octaves=2, persistence=0.3, lacunarity=3, repeat=(40, 10), base=9)
    windows = [field for mask in many(shape) for field in mask.fields if isinstance(field, ClassicWindow)]
    field = Classic(octaves=2, persistence=0.3, lacunarity=3, repeat=(40, 10), base=9)
    assert all(window.field == field for window in windows)
    down, across = np.array([window.origin for window in windows]).T
    # The period is given across and down.
    assert (down.min(), down.max()) == (pytest.approx(0, abs=0.1), pytest.approx(10, abs=0.1))
    assert (across.min(), across.max()) == (pytest.approx(0, abs=0.4), pytest.approx(40, abs=0.4))
    frequencies = np.array([window.frequency for window in windows])
    assert (frequencies.min(), frequencies.max()) == (pytest.approx(2, abs=0.02), pytest.approx(8, abs=0.05))
    assert np.median(frequencies) == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize("shape", [LatticeShape(combine="union"), ClassicShape(field="classic", base=200)])
def test_a_drawn_mask_survives_json(shape: LatticeShape | ClassicShape) -> None:
    for mask in many(shape, 50):
        read = PerlinMask.model_validate_json(mask.model_dump_json())
        assert read == mask
        assert [type(field) for field in read.fields] == [type(field) for field in mask.fields]


@pytest.mark.parametrize(
    "wrong",
    [
        {"field": "lattice", "scales": [3, 2]},
        {"field": "lattice", "scales": [-1, 2]},
        {"field": "lattice", "scales": [0, 9]},
        {"field": "lattice", "threshold": 1.0},
        {"field": "lattice", "rotation": [10, -10]},
        {"field": "lattice", "octaves": 3},
        {"field": "classic", "octaves": 0},
        {"field": "classic", "base": 256},
        {"field": "classic", "repeat": [0, 4]},
        {"field": "classic", "frequency": [0, 4]},
        {"field": "simplex"},
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AnyPerlinShape).validate_python(wrong)

"""Perlin fields against DRAEM's formula pixel by pixel, DRAEM's statistics, and the package ``noise``."""

import cmath
import math
from collections.abc import Callable
from typing import Any

import noise
import numpy as np
import numpy.typing as npt
import pytest
import torch

from synthgen.regions import perlin_lattice
from synthgen.regions.perlin_classic import Classic, classic_field, classic_permutation
from synthgen.regions.perlin_lattice import Lattice, hashed_uniform, lattice_fields
from synthgen.regions.perlin_mask import LatticeShape, perlin_masks
from synthgen.streams import Stream

Field = npt.NDArray[np.float64]
SEED = 6_364_136_223_846_793


def splitmix(state: int) -> int:
    """The output of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) in a state."""
    mask = 2**64 - 1
    value = state & mask
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & mask
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & mask
    return value ^ (value >> 31)


def angle(seed: int, point: int) -> float:
    return (splitmix((seed + point + 1) * 0x9E3779B97F4A7C15) >> 11) / 2**53 * 2 * math.pi


def slow_field(lattice: Lattice, height: int, width: int) -> Field:
    """DRAEM's formula at every pixel, in double precision.

    A pixel's lattice coordinates are those that it had before the turn about the centre, times cells / image
    side. Lattice points are numbered from the last line before what a corner of the image can reach.
    """
    per_pixel = (lattice.cells[0] / height, lattice.cells[1] / width)
    centre_y, centre_x = (height - 1) / 2, (width - 1) / 2
    reach = math.hypot(height, width) / 2
    first_row, first_column = (
        math.floor((centre - reach) * each)
        for centre, each in zip((centre_y, centre_x), per_pixel, strict=True)
    )
    lattice_columns = math.floor((centre_x + reach) * per_pixel[1]) + 3 - first_column
    back = cmath.exp(-1j * math.radians(lattice.rotation))
    field = np.empty((height, width))
    for row, column in np.ndindex(height, width):
        # As a complex number with the imaginary axis up, turned back clockwise.
        point = complex(column - centre_x, centre_y - row) * back
        y, x = (centre_y - point.imag) * per_pixel[0], (centre_x + point.real) * per_pixel[1]
        field[row, column] = draem(lattice.seed, lattice_columns, y - first_row, x - first_column)
    return field


def draem(seed: int, lattice_columns: int, y: float, x: float) -> float:
    """sqrt(2) times the faded mix of the four corners' gradients times the way from them."""
    top, left = math.floor(y), math.floor(x)
    y, x = y - top, x - left

    def corner(down: int, right: int) -> float:
        direction = angle(seed, (top + down) * lattice_columns + left + right)
        return math.cos(direction) * (y - down) + math.sin(direction) * (x - right)

    fade_y, fade_x = (6 * t**5 - 15 * t**4 + 10 * t**3 for t in (y, x))
    upper = corner(0, 0) * (1 - fade_x) + corner(0, 1) * fade_x
    lower = corner(1, 0) * (1 - fade_x) + corner(1, 1) * fade_x
    return math.sqrt(2) * (upper * (1 - fade_y) + lower * fade_y)


def field_of(lattice: Lattice, height: int, width: int) -> npt.NDArray[np.float32]:
    field = lattice_fields([lattice], height, width, "cpu")[0]
    assert field.shape == (height, width)
    assert field.dtype == np.float32
    return field


def points(length: int, cells: int) -> int:
    """In how many points of a cell the field is evaluated before it is turned."""
    return min(perlin_lattice.MOST_POINTS, math.ceil(length / cells))


@pytest.mark.parametrize(
    ("height", "width", "cells"),
    [
        (16, 16, (1, 1)),
        (64, 64, (4, 32)),
        (64, 64, (16, 4)),
        (32, 64, (8, 4)),
        (48, 24, (4, 8)),
        (24, 24, (8, 2)),
    ],
)
def test_an_unturned_lattice_is_draems_formula_at_every_pixel(
    height: int, width: int, cells: tuple[int, int]
) -> None:
    lattice = Lattice(cells=cells, seed=SEED, rotation=0)
    assert np.allclose(field_of(lattice, height, width), slow_field(lattice, height, width), atol=2e-5)


@pytest.mark.parametrize("rotation", [0.0, 90.0, -45.0, 31.0, -77.5])
@pytest.mark.parametrize(
    ("height", "width", "cells"),
    [
        (64, 64, (2, 4)),
        (64, 80, (1, 1)),
        (50, 70, (4, 4)),
        (61, 37, (2, 4)),
        (33, 64, (1, 2)),
        (45, 45, (4, 1)),
    ],
)
def test_a_turned_lattice_is_the_formula_at_the_turned_coordinates(
    height: int, width: int, cells: tuple[int, int], rotation: float
) -> None:
    lattice = Lattice(cells=cells, seed=SEED, rotation=rotation)
    found, wanted = field_of(lattice, height, width), slow_field(lattice, height, width)
    # Linear interpolation is off by second derivatives / 8 (at most 27, both ways) times the step squared.
    step_y, step_x = (1 / points(length, count) for length, count in zip((height, width), cells, strict=True))
    assert np.abs(found - wanted).max() <= 27 / 8 * (step_y**2 + step_x**2) + 2e-5
    assert np.abs(found - wanted).mean() <= 0.15 * 27 / 8 * (step_y**2 + step_x**2) + 2e-5


@pytest.mark.parametrize("cells", [(1, 1), (2, 2), (4, 4)])
def test_few_points_in_large_cells_are_right_to_a_hundredth(cells: tuple[int, int]) -> None:
    lattice = Lattice(cells=cells, seed=SEED, rotation=17)
    assert np.abs(field_of(lattice, 128, 128) - slow_field(lattice, 128, 128)).max() < 0.01


def test_a_turn_by_90_degrees_is_counter_clockwise() -> None:
    straight, turned = (
        field_of(Lattice(cells=(4, 4), seed=SEED, rotation=rotation), 64, 64) for rotation in (0, 90)
    )
    assert np.allclose(turned, np.rot90(straight), atol=1e-4)


def drawn(count: int) -> list[Lattice]:
    lattices = [LatticeShape().draw(Stream(1, index, "test")).fields[0] for index in range(count)]
    return [lattice for lattice in lattices if isinstance(lattice, Lattice)]


def test_neither_batch_nor_order_changes_a_bit() -> None:
    lattices = drawn(40)
    alone = [field_of(lattice, 48, 96) for lattice in lattices]
    order = Stream(1, 1, "order").permutation(40)
    together = lattice_fields([lattices[position] for position in order], 48, 96, "cpu")
    for position, field in zip(order, together, strict=True):
        assert field.tobytes() == alone[position].tobytes()


def test_torch_makes_the_same_fields_whatever_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    lattices, before = drawn(20), torch.get_num_threads()
    fields = [lattice_fields(lattices, 256, 256, "cpu")]
    monkeypatch.setattr(perlin_lattice, "put", lambda values, device: torch.from_numpy(values))
    for threads in (1, 2):
        torch.set_num_threads(threads)
        # Large enough to be shared between threads.
        fields.append(lattice_fields(lattices, 256, 256, "cpu"))
    torch.set_num_threads(before)
    for by_numpy, one, two in zip(*fields, strict=True):
        assert by_numpy.tobytes() == one.tobytes() == two.tobytes()


def areas(shape: LatticeShape, count: int, size: int) -> Field:
    """The share of the image that each of many drawn masks covers."""
    masks = [shape.draw(Stream(0, index, "areas")) for index in range(count)]
    cut = [
        mask for at in range(0, count, 100) for mask in perlin_masks(masks[at : at + 100], size, size, "cpu")
    ]
    return np.array([np.count_nonzero(mask) / mask.size for mask in cut])


def test_the_published_statistics_at_256() -> None:
    """5 % of DRAEM's masks are empty; the others cover 5.4 % (median), and mostly between 2 and 10 %."""
    shares = areas(LatticeShape(), 2000, 256)
    covered = shares[shares > 0]
    # Three standard errors of 2,000 draws to either side.
    assert np.mean(shares == 0) == pytest.approx(0.05, abs=0.015)
    assert np.median(covered) == pytest.approx(0.054, abs=0.003)
    assert np.quantile(covered, [0.05, 0.95]) == pytest.approx([0.02, 0.10], abs=0.008)


def test_corners_are_like_the_middle_at_any_angle() -> None:
    """The lattice goes on beyond the image, so that a turn takes nothing away."""
    masks = [LatticeShape(scales=(1, 3)).draw(Stream(0, index, "areas")) for index in range(3000)]
    share = np.mean([mask > 0 for mask in perlin_masks(masks, 32, 32, "cpu")], axis=0)
    corners, middle = share[[0, 0, -1, -1], [0, -1, 0, -1]].mean(), share[8:24, 8:24].mean()
    # About 5 % each, of 12,000 and many more draws.
    assert corners == pytest.approx(middle, abs=0.008)


CLASSIC = [
    Classic(octaves=1),
    Classic(octaves=4),
    Classic(octaves=6, persistence=0.7, lacunarity=1.7),
    Classic(octaves=3, persistence=0.25, lacunarity=3.1, base=5),
    Classic(octaves=2, repeat=(4, 7)),
    Classic(octaves=5, repeat=(3, 2), lacunarity=2.3, base=1),
    Classic(octaves=1, persistence=1, lacunarity=1, repeat=(1, 1)),
    Classic(octaves=2, base=40),
]


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
@pytest.mark.parametrize("field", CLASSIC, ids=str)
def test_the_classic_field_is_pnoise2_value_for_value(field: Classic, kind: Callable[..., Any]) -> None:
    generator = np.random.default_rng(0)
    # The package reads beyond its table of 512 where cells and a base add up to more: cells stay below 200.
    extent = min(200 / field.lacunarity ** (field.octaves - 1), 30)
    points = generator.uniform(0, extent, (2, 20, 30)).astype(np.float32)
    # And the lattice points themselves, where the field is 0, their neighbours, and the middles of cells.
    points[:, 0, :10] = np.arange(10) % max(1, int(extent))
    points[:, 0, 10:20] = np.nextafter(points[:, 0, :10], np.float32(100))
    points[:, 1, :10] = points[:, 0, :10] + 0.5
    y, x = points
    found = np.asarray(classic_field(field, kind(y), kind(x)))
    wanted = [
        noise.pnoise2(
            float(across),
            float(down),
            octaves=field.octaves,
            persistence=field.persistence,
            lacunarity=field.lacunarity,
            repeatx=field.repeat[0],
            repeaty=field.repeat[1],
            base=field.base,
        )
        for down, across in zip(y.ravel(), x.ravel(), strict=True)
    ]
    assert found.ravel().tolist() == wanted
    assert np.ptp(found) > 0.2


def test_another_base_is_another_field() -> None:
    y, x = np.random.default_rng(1).uniform(0, 250, (2, 30, 30)).astype(np.float32)
    fields = [classic_field(Classic(base=base), y, x) for base in (0, 1, 128, 255)]
    for position, field in enumerate(fields):
        assert np.isfinite(field).all()
        assert all(abs(np.corrcoef(field.ravel(), other.ravel())[0, 1]) < 0.3 for other in fields[:position])


def test_the_permutation_table_is_a_permutation() -> None:
    table = classic_permutation()
    assert sorted(table[:256]) == list(range(256))
    assert np.array_equal(table, np.tile(table[:256], 3))


def test_the_hash_is_splitmix() -> None:
    # The first outputs from the state 0, as in the reference implementation's test vectors.
    known = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    found = hashed_uniform(0, np.arange(4, dtype=np.uint64))
    assert found.tolist() == [value / 2**64 for value in (value >> 11 << 11 for value in known)]
    assert hashed_uniform(SEED, np.array([9], np.uint64))[0] * 2 * math.pi == angle(SEED, 9)


@pytest.mark.parametrize("seed", [0, 1, SEED, 2**53 - 1])
def test_the_hash_is_uniform(seed: int) -> None:
    from scipy.stats import chisquare

    values = hashed_uniform(seed, np.arange(40_000, dtype=np.uint64))
    assert values.min() >= 0
    assert values.max() < 1
    assert len(np.unique(values)) == len(values)
    assert chisquare(np.histogram(values, bins=100, range=(0, 1))[0]).pvalue > 0.001
    assert (
        chisquare(np.histogram2d(values[:-1], values[1:], bins=10, range=[(0, 1)] * 2)[0].ravel()).pvalue
        > 0.001
    )


def test_drawn_seeds_share_no_angles() -> None:
    """Not even shifted: no point of a lattice has the angle of any point of another."""
    seeds = [lattice.seed for lattice in drawn(200)]
    points = np.arange(33 * 33, dtype=np.uint64)
    values = np.concatenate([hashed_uniform(seed, points) for seed in seeds])
    assert len(np.unique(values)) == len(values)

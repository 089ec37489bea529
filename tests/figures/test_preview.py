"""The sheets, against slow oracles: distances by brute force, and a record of all that is painted."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, cast

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from synthgen.errors import InputError, RunError
from synthgen.figures import sheet as sheet_module
from synthgen.figures import tiles
from synthgen.figures.preview import CONTACT_LIMIT, PREVIEW_LIMIT, contact_sheet, save, sheet, spread
from synthgen.sample import AbnormalityFacts, Facts, Sample
from synthgen.scene import Library, Scene

METHODS = ("cutpaste", "scar", "smoothblend", "perlin-texture", "perlin-self-shuffle", "nsa", "cutout")
ZERO_COLOUR = (0, 0, 4)
"""The first colour of INFERNO."""

Box = tuple[float, float, float, float]
Outcome = Literal["normal", "anomalous", "rejected"]


def sample(
    index: int,
    shape: tuple[int, int, int] = (64, 64, 3),
    outcome: Outcome = "anomalous",
    *,
    method: str = "cutpaste",
    reason: str = "no visible change",
    paired: bool = True,
) -> Sample:
    height, width, channels = shape
    normal = np.random.default_rng(index).integers(60, 160, shape, dtype=np.uint8)
    mask = np.zeros((height, width), np.uint8)
    if outcome == "anomalous":
        mask[height // 4 : height // 2, width // 3 : width // 2] = 255
    image = np.where(mask[..., None] > 0, normal + np.uint8(40), normal).astype(np.uint8)
    for pixels in (normal, image, mask):
        pixels.setflags(write=False)
    area = int(np.count_nonzero(mask))
    facts = Facts(
        format_version=1,
        fingerprint="f" * 64,
        seed=7,
        index=index,
        key=f"000003_{index:06d}",
        category="bottle",
        split="train",
        source_path="a.png",
        source_sha256="0" * 64,
        height=height,
        width=width,
        channels=channels,
        label=int(outcome == "anomalous"),
        outcome=outcome,
        reason=reason if outcome == "rejected" else "",
        attempts=3,
        method="none" if outcome == "normal" else method,
        strength=0.0 if outcome == "normal" else 0.63,
        strength_name="none" if outcome == "normal" else "delta",
        paired=paired,
        box=[0, 0, 0, 0],
        area_pixels=area,
        area=area / height / width,
        contrast=34.14,
        contrast_mean=30.0,
        contrast_lab=12.31,
        product_type="texture",
        foreground_area=1.0,
        foreground_overlap=1.0,
        params="{}",
    )
    foreground = np.full((height, width), 255, np.uint8)
    scene = Scene("0" * 64, "bottle", "texture", normal, foreground, cast(Library, None))
    return Sample(facts, image, mask, scene)


def samples(count: int, shape: tuple[int, int, int] = (64, 64, 3)) -> list[Sample]:
    outcomes: tuple[Outcome, ...] = ("anomalous", "anomalous", "anomalous", "normal", "rejected")
    return [sample(index, shape, outcomes[index % 5], method=METHODS[index % 7]) for index in range(count)]


class Painted:
    """The boxes of every text and every picture that was painted."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, Box]] = []
        self.pictures: list[Box] = []

    @property
    def words(self) -> list[str]:
        return [text for text, _ in self.texts]


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Painted]:
    record = Painted()
    draw_text, paste = ImageDraw.ImageDraw.text, Image.Image.paste

    def text(self: ImageDraw.ImageDraw, xy: Any, text: str, *style: Any, anchor: str) -> None:
        _, font = style
        record.texts.append((text, self.textbbox(xy, text, font=font, anchor=anchor)))
        draw_text(self, xy, text, *style, anchor)

    def picture(self: Image.Image, image: Image.Image, place: tuple[int, int]) -> None:
        record.pictures.append((*place, place[0] + image.width, place[1] + image.height))
        paste(self, image, place)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    monkeypatch.setattr(Image.Image, "paste", picture)
    yield record


def overlap(first: Box, second: Box) -> bool:
    across = min(first[2], second[2]) > max(first[0], second[0])
    return across and min(first[3], second[3]) > max(first[1], second[1])


def assert_tidy(painted: Painted, image: Image.Image) -> None:
    air = 4
    texts = [(left - air, top, right + air, bottom) for _, (left, top, right, bottom) in painted.texts]
    boxes = texts + painted.pictures
    margin = sheet_module.MARGIN
    for left, top, right, bottom in boxes:
        assert left >= margin - air - 2
        assert top >= margin - 2
        assert right <= image.width - margin + air + 2
        assert bottom <= image.height - margin + 10
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]


def distance_to(points: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Distance of every pixel to the nearest true one, by trying them all."""
    places = np.argwhere(points)
    rows, columns = np.indices(points.shape)
    away = [np.hypot(rows - row, columns - column) for row, column in places]
    return np.asarray(np.min(away, axis=0))


def disc() -> npt.NDArray[np.bool_]:
    rows, columns = np.indices((48, 60))
    return np.asarray(np.hypot(rows - 22, columns - 30) < 9)


def rectangle(top: int, bottom: int, left: int, right: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros((48, 60), bool)
    mask[top:bottom, left:right] = True
    return mask


MASKS = {
    "disc": disc(),
    "one pixel": rectangle(20, 21, 30, 31),
    "two": rectangle(8, 14, 8, 20) | rectangle(30, 40, 40, 50),
    "corner": rectangle(0, 20, 0, 20),
    "side": rectangle(10, 30, 50, 60),
    "everything": rectangle(0, 48, 0, 60),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("grey", [0, 90, 255])
def test_outline_lies_beside_the_mask_and_closes_around_it(name: str, grey: int) -> None:
    mask = MASKS[name]
    tile = np.full((*mask.shape, 3), grey, np.uint8)
    result = tiles.outlined(tile, mask)
    changed = (result != tile).any(axis=2)
    away = distance_to(mask)
    rows, columns = np.indices(mask.shape)
    edge = np.minimum.reduce([rows, columns, mask.shape[0] - 1 - rows, mask.shape[1] - 1 - columns])
    beside = (away > 0) & (away < tiles.OUTLINE_WIDTH + 1)
    along_edge = mask & (edge < tiles.CASING_WIDTH + tiles.LINE_WIDTH)
    assert changed.any()
    assert not changed[~(beside | along_edge)].any()

    line = (np.abs(result.astype(int) - tiles.OUTLINE) < 90).all(axis=2)
    _, parts = cv2.connectedComponents(np.where(line, 0, 1).astype(np.uint8), connectivity=4)
    of_the_mask = np.isin(parts, np.unique(parts[mask & ~line])) & ~line
    assert line.any()
    assert away[of_the_mask].max(initial=0) <= tiles.CASING_WIDTH + 1


@pytest.mark.parametrize("grey", [0, 255])
def test_outline_shows_on_dark_and_on_bright_pictures(grey: int) -> None:
    tile = np.full((48, 60, 3), grey, np.uint8)
    lightness = cv2.cvtColor(tiles.outlined(tile, disc()), cv2.COLOR_RGB2GRAY)
    assert lightness.min() < 30
    assert lightness.max() > 200


def test_an_empty_mask_has_no_outline() -> None:
    tile = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(tiles.outlined(tile, np.zeros((20, 30), bool)), tile)


@pytest.mark.parametrize("channels", [1, 3])
def test_heat_is_the_largest_channel_change_on_a_fixed_scale(channels: int) -> None:
    generator = np.random.default_rng(3)
    normal = generator.integers(0, 256, (40, 50, channels), dtype=np.uint8)
    image = np.where(generator.random((40, 50, 1)) < 0.5, normal, generator.integers(0, 256, normal.shape))
    image = image.astype(np.uint8)
    heat = tiles.heat_tile(normal, image, 50)
    ramp = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_INFERNO)[0, :, ::-1]
    for row, column in np.ndindex(40, 50):
        change = max(
            abs(int(a) - int(b)) for a, b in zip(normal[row, column], image[row, column], strict=True)
        )
        level = min(255, round(float(np.float32(change) * np.float32(255 / tiles.HEAT_TOP))))
        assert tuple(heat[row, column]) == tuple(ramp[level])
        assert (tuple(heat[row, column]) == ZERO_COLOUR) == (change == 0)


@pytest.mark.parametrize("side", [64, 128, 33])
def test_heat_is_zero_away_from_the_change_at_every_size(side: int) -> None:
    one = sample(1, (64, 64, 3))
    heat = tiles.heat_tile(one.normal, one.image, side)
    changed = (heat != ZERO_COLOUR).any(axis=2)
    assert np.array_equal(changed, tiles.mask_tile(one.mask, side))


def test_heat_colours_grow_lighter_with_the_change() -> None:
    colours = tiles.heat_colours(np.linspace(0, tiles.HEAT_TOP, 200, dtype=np.float32)[None])
    lightness = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0, :, 0]
    assert (np.diff(lightness) > -0.3).all()
    assert lightness[-1] - lightness[0] > 90


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((256, 256), (256, 256)),
        ((64, 64), (256, 256)),
        ((100, 60), (200, 120)),
        ((1024, 640), (256, 160)),
        ((300, 400), (192, 256)),
        ((16, 8192), (1, 256)),
    ],
)
def test_tiles_fill_their_side_and_are_enlarged_by_whole_numbers(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert tiles.tile_shape(*shape, 256) == expected
    tile = tiles.picture_tile(np.zeros((*shape, 1), np.uint8), 256)
    assert tile.shape == (*expected, 3)


def test_a_picture_of_tile_size_is_shown_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (256, 200, 3), dtype=np.uint8)
    assert np.array_equal(tiles.picture_tile(image, 256), image)


def test_the_smallest_mask_survives_reduction() -> None:
    mask = np.zeros((2000, 3000), np.uint8)
    mask[777, 1234] = 255
    shown = np.argwhere(tiles.mask_tile(mask, 256))
    assert 1 <= len(shown) <= 4
    assert np.abs(shown - np.array([777, 1234]) * 256 / 3000).max() < 2


@pytest.mark.parametrize("shape", [(64, 64, 1), (256, 48, 3), (30, 200, 3), (600, 400, 3)])
@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_every_text_and_tile_of_a_preview_has_its_own_place(
    painted: Painted, shape: tuple[int, int, int], count: int
) -> None:
    image = sheet(samples(count, shape), "bottle-mixed")
    legend = 1
    assert len(painted.pictures) == 4 * count + legend
    assert_tidy(painted, image)


@pytest.mark.parametrize("columns", [1, 3])
def test_long_words_do_not_collide(painted: Painted, columns: int) -> None:
    shape = (64, 16, 3)
    reason = "the defect lies outside of the foreground, which is all that could be said about it " * 3
    rejected = sample(0, shape, "rejected", method="perlin-self-shuffle", reason=reason)
    unpaired = sample(1, shape, paired=False, method="a-method-with-quite-a-long-name-of-its-own")
    image = sheet([rejected, unpaired, sample(2, shape, "normal")], "n" * 100, columns)
    assert_tidy(painted, image)
    assert reason.split() == " ".join(painted.words).split("left normal: ")[1].split()[: len(reason.split())]


def test_a_preview_says_what_was_done(painted: Painted) -> None:
    sheet([sample(17, method="perlin-texture")], "bottle-mixed")
    assert painted.words == [
        "bottle-mixed",
        "1 sample  ·  1 anomalous  ·  64 x 64 px",
        "change, grey levels",
        "0",
        "50",
        "100+",
        "normal",
        "anomalous",
        "mask outline",
        "change",
        "000003_000017",
        "attempts 3",
        "perlin-texture",
        "delta 0.63",
        "area 4.3 %",
        "176 px",
        "contrast 34.1",
        "Lab 12.3",
    ]


def compared(one: Sample, share: float, excess: float) -> Sample:
    found = AbnormalityFacts(share=share, excess=excess, abnormal=share >= 0.5, looked_normal=[])
    return replace(one, facts=one.facts.model_copy(update={"abnormality": found}))


def test_samples_that_were_compared_with_good_products_are_sorted_by_it(painted: Painted) -> None:
    shares = [(0.25, 0.1), (1.0, 0.5), (1.0, 2.5), (0.5, 0.0)]
    some = [compared(sample(number), *found) for number, found in enumerate(shares)]
    normal = compared(sample(4, outcome="normal"), 0.0, 0.0)
    sheet([normal, *some, compared(sample(5, paired=False), 0.75, 0.0)], "bottle-mixed")
    keys = [int(word[-1]) for word in painted.words if word.startswith("000003_")]
    assert keys == [2, 1, 5, 3, 0, 4]
    said = [word for word in painted.words if word.startswith("beyond normal")]
    assert said == [f"beyond normal {share}%" for share in (100, 100, 75, 50, 25)]
    before = len(painted.words)
    contact_sheet(some, "bottle-mixed")
    assert [word for word in painted.words[before:] if word.startswith("beyond")] == [
        f"beyond {share:.0%}" for share, _ in shares
    ]


def test_normal_and_rejected_samples_say_so(painted: Painted) -> None:
    sheet([sample(0, outcome="normal"), sample(1, outcome="rejected")], "bottle-mixed")
    assert "left without a defect, as the recipe asks" in painted.words
    assert "cutpaste, rejected" in painted.words
    assert "left normal: no visible change" in painted.words
    assert not any(word.startswith(("area", "contrast", "delta")) for word in painted.words)


def test_all_that_is_written_has_a_glyph(painted: Painted) -> None:
    sheet([*samples(5), sample(6, paired=False)], "bottle-mixed")
    missing = sheet_module.font(20).getmask("\u4e2d")
    for character in set("".join(painted.words)) - {" "}:
        glyph = sheet_module.font(20).getmask(character)
        assert (glyph.size, bytes(glyph)) != (missing.size, bytes(missing)), character


def test_the_tiles_of_a_preview_are_normal_anomalous_outlined_and_change(painted: Painted) -> None:
    one = sample(0, (256, 256, 3))
    pixels = np.asarray(sheet([one], "bottle-mixed"))
    shown = [
        pixels[int(top) : int(bottom), int(left) : int(right)]
        for left, top, right, bottom in painted.pictures
        if bottom - top == 256
    ]
    assert np.array_equal(shown[0], one.normal)
    assert np.array_equal(shown[1], one.image)
    assert np.array_equal(shown[2], tiles.outlined(one.image.copy(), one.mask > 0))
    assert np.array_equal(shown[3], tiles.heat_tile(one.normal, one.image, 256))


def test_an_unpaired_sample_shows_neither_normal_nor_change(painted: Painted) -> None:
    sheet([sample(0, paired=False)], "bottle-mixed")
    legend = 1
    assert len(painted.pictures) == 2 + legend
    assert "not paired" in painted.words


@pytest.mark.parametrize("count", [5, 6, 12, 15, 16, 18, 40, 100])
def test_a_preview_is_about_as_wide_as_a_slide(count: int) -> None:
    image = sheet(samples(count), "bottle-mixed")
    assert 1.25 < image.width / image.height < 2.05


def test_columns_can_be_chosen(painted: Painted) -> None:
    sheet(samples(6), "bottle-mixed", columns=2)
    lefts = Counter(left for left, *_ in painted.pictures[1:])
    assert sorted(lefts.values()) == [3] * 8


@pytest.mark.parametrize("count", [0, PREVIEW_LIMIT + 1])
def test_a_preview_has_a_bounded_number_of_samples(count: int) -> None:
    with pytest.raises(InputError, match=f"not {count}"):
        sheet([sample(0)] * count, "bottle-mixed")


@pytest.mark.parametrize("columns", [0, 3])
def test_impossible_columns_are_refused(columns: int) -> None:
    with pytest.raises(InputError, match=f"1 to 2 columns, not {columns}"):
        sheet(samples(2), "bottle-mixed", columns)


def test_a_contact_sheet_shows_every_method_in_order(painted: Painted) -> None:
    image = contact_sheet(samples(240), "demo")
    assert_tidy(painted, image)
    assert len(painted.pictures) == CONTACT_LIMIT
    assert (
        "48 shown of 240 samples  ·  144 anomalous  ·  48 normal  ·  48 rejected  ·  64 x 64 px"
        in painted.words
    )
    names = [word for word in painted.words if word in {*METHODS, "normal"}]
    assert names == [*sorted(names[:-6]), *["normal"] * 6]
    assert Counter(names) == dict.fromkeys([*METHODS, "normal"], 6)


def test_spread_is_even_over_methods_and_within_them() -> None:
    many = [sample(index, (16, 16, 1), method="scar") for index in range(100)]
    few = [sample(index, (16, 16, 1), method="nsa") for index in range(3)]
    chosen = spread([*many, *few], 13)
    assert [one.facts.method for one in chosen] == ["nsa"] * 3 + ["scar"] * 10
    assert [one.facts.index for one in chosen[3:]] == list(range(0, 100, 10))
    assert len(spread(few, 48)) == 3


def test_a_contact_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="at least one sample"):
        contact_sheet([], "demo")


PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))


def test_save_writes_the_picture_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    save(PICTURE, path)
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(PICTURE))
    assert [entry.name for entry in tmp_path.iterdir()] == ["sheet.png"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_failed_save_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sheet.png"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"sheet\.png.*No space left on device"):
        save(PICTURE, path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sheet.jpg", "not as '.jpg'"),
        ("sheet", "not as ''"),
        ("missing/sheet.png", "does not exist"),
        ("file.txt/sheet.png", "does not exist"),
        ("folder.png", "this is a folder"),
    ],
)
def test_save_refuses_an_impossible_place(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file.txt").touch()
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=message):
        save(PICTURE, tmp_path / name)


def test_save_says_that_a_folder_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(InputError, match=r"cannot be written to \(Permission denied\)"):
        save(PICTURE, tmp_path / "sheet.png")

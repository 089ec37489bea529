"""One table of all synthesizers, and what must hold for every one of them. A new method is a row here."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from pydantic import TypeAdapter

from synthgen.defect import Composite, Defect, Verdict, composite, judge
from synthgen.scene import Pixels, Scene
from synthgen.streams import Stream
from synthgen.synthesizers import METHODS, AnySynthesizer
from synthgen.synthesizers.base import Params, Synthesizer
from tests.synthesizers.scenes import PLACES, PEERS, RefusedError, larger, place, scenes

CLASSIC = {"field": "classic", "octaves": 3, "frequency": [2, 6]}

TABLE: dict[str, dict[str, Any]] = {
    "cutpaste": {"method": "cutpaste"},
    "cutpaste, turned, from another image, faint": {
        "method": "cutpaste",
        "patch_from": "other",
        "rotation": [-90, 90],
        "delta": [0.3, 0.9],
    },
    "cutpaste, without jitter": {"method": "cutpaste", "jitter": 0, "area": [0.05, 0.05]},
    "scar": {"method": "scar"},
    "scar, from another image, faint": {"method": "scar", "patch_from": "other", "delta": [0.4, 1.0]},
    "smoothblend": {"method": "smoothblend"},
    "smoothblend, turned, from another image, faint": {
        "method": "smoothblend",
        "patch_from": "other",
        "rotation": [-180, 180],
        "delta": [0.5, 0.9],
    },
    "perlin-texture": {"method": "perlin-texture"},
    "perlin-texture, mixed masks": {
        "method": "perlin-texture",
        "mask": {"field": "lattice", "combine": "mixed"},
    },
    "perlin-texture, classic": {"method": "perlin-texture", "mask": {**CLASSIC, "combine": "union"}},
    "perlin-texture, plain": {"method": "perlin-texture", "augmenters": 0, "delta": [1, 1]},
    "perlin-texture, all augmenters": {"method": "perlin-texture", "augmenters": 10},
    "perlin-self-shuffle": {"method": "perlin-self-shuffle"},
    "perlin-self-shuffle, classic, 3 x 5": {
        "method": "perlin-self-shuffle",
        "grid": [3, 5],
        "mask": CLASSIC,
    },
    "nsa": {"method": "nsa"},
    "nsa, normal": {"method": "nsa", "clone": "normal", "resize": [0.5, 2]},
    "nsa, mixed, from the same image, faint": {
        "method": "nsa",
        "clone": "mixed",
        "patch_from": "same",
        "delta": [0.5, 0.9],
    },
    "cutout": {"method": "cutout"},
    "cutout, black, faint": {"method": "cutout", "fill": "black", "delta": [0.3, 0.9]},
    "cutout, random": {"method": "cutout", "fill": "random"},
}

# The least share of first attempts that the judge must accept, where it is not nine of ten: a classic field
# or an intersection is often empty on the foreground, a change of colour at low opacity invisible.
MANY = 0.9
HARDER = {
    "perlin-texture": 0.75,
    "perlin-texture, mixed masks": 0.6,
    "perlin-texture, classic": 0.75,
    "perlin-texture, plain": 0.75,
    "perlin-texture, all augmenters": 0.75,
    "perlin-self-shuffle": 0.7,
    "perlin-self-shuffle, classic, 3 x 5": 0.6,
}
DRAWS = 100

every_row = pytest.mark.parametrize("row", TABLE)
every_place = pytest.mark.parametrize("where", PLACES)


class Made(NamedTuple):
    """A first attempt and what became of it."""

    scene: Scene
    params: Params
    defect: Defect
    result: Composite
    verdict: Verdict


@cache
def synthesizer(row: str) -> Synthesizer[Any]:
    """A row of the table, read as a recipe reads it."""
    return TypeAdapter(AnySynthesizer).validate_python(TABLE[row])


def stream(index: int, seed: int = 11, attempt: int = 0) -> Stream:
    return Stream(seed, index, "test", attempt)


def make(method: Synthesizer[Any], among: Sequence[Scene], params: Sequence[Params]) -> list[Defect]:
    return type(method).make(among, params, "cpu")


@cache
def first_attempts(row: str, where: str) -> list[Made]:
    """A hundred samples, made in batches, with the judge's default contrast."""
    method = synthesizer(row)
    peers = place(where)
    among = [peers[index % PEERS] for index in range(DRAWS)]
    params = [method.draw(stream(index), scene) for index, scene in enumerate(among)]
    defects = [
        defect
        for at in range(0, DRAWS, 25)
        for defect in make(method, among[at : at + 25], params[at : at + 25])
    ]
    made = []
    for scene, numbers, defect in zip(among, params, defects, strict=True):
        result = composite(scene, defect)
        made.append(Made(scene, numbers, defect, result, judge(scene, result, 4.0, method.min_overlap)))
    return made


def assert_same(first: Defect, second: Defect) -> None:
    assert (first.left, first.top) == (second.left, second.top)
    assert np.array_equal(first.alpha, second.alpha)
    assert np.array_equal(first.pixels, second.pixels)


def test_the_table_has_every_method() -> None:
    assert {fields["method"] for fields in TABLE.values()} == set(METHODS)


@every_place
@every_row
def test_a_draw_depends_on_the_stream_alone(row: str, where: str) -> None:
    method, scene = synthesizer(row), place(where)[0]
    drawn = method.draw(stream(5), scene)
    assert method.draw(stream(5), scene) == drawn
    others = [stream(5, attempt=1), stream(6), stream(5, seed=12)]
    assert all(method.draw(other, scene) != drawn for other in others)


@every_place
@every_row
def test_stored_params_make_the_same_defect(row: str, where: str) -> None:
    method = synthesizer(row)
    for made in first_attempts(row, where)[:10]:
        read = METHODS[method.method].parse_params(made.params.model_dump_json())
        assert read == made.params
        assert_same(make(method, [made.scene], [read])[0], made.defect)


@every_place
@every_row
def test_a_batch_makes_what_each_would_make_alone(row: str, where: str) -> None:
    method = synthesizer(row)
    seven = first_attempts(row, where)[:7]
    backwards = seven[::-1]
    together = make(method, [made.scene for made in backwards], [made.params for made in backwards])
    for made, in_batch in zip(backwards, together, strict=True):
        assert_same(in_batch, made.defect)
        assert_same(make(method, [made.scene], [made.params])[0], made.defect)


@every_place
@every_row
def test_a_defect_is_a_box_inside_the_image(row: str, where: str) -> None:
    for made in first_attempts(row, where):
        (height, width, channels), defect = made.scene.image.shape, made.defect
        assert defect.alpha.dtype == defect.pixels.dtype == np.uint8
        assert defect.pixels.shape == (*defect.alpha.shape, channels)
        assert 0 <= defect.left <= width - defect.alpha.shape[1]
        assert 0 <= defect.top <= height - defect.alpha.shape[0]


@every_place
@every_row
def test_the_label_tells_the_truth(row: str, where: str) -> None:
    for made in first_attempts(row, where):
        image, mask, normal = made.result.image, made.result.mask, made.scene.image
        assert image.shape == normal.shape
        assert image.dtype == mask.dtype == np.uint8
        assert mask.shape == normal.shape[:2]
        assert set(np.unique(mask)) <= {0, 255}
        assert np.array_equal(image[mask == 0], normal[mask == 0])
        assert not mask[made.scene.foreground == 0].any()
        if not made.verdict.reason:
            assert largest_change(image, normal)[mask > 0].mean() >= 4.0


@every_place
@every_row
def test_the_normal_image_stays_as_it_was(row: str, where: str) -> None:
    # Its arrays are read-only, but a C library need not care.
    first_attempts(row, where)
    height, width, channels = PLACES[where][1:]
    fresh = scenes(PLACES[where][0], height, width, channels)
    for scene, untouched in zip(place(where), fresh, strict=True):
        assert np.array_equal(scene.image, untouched.image)
        assert np.array_equal(scene.foreground, untouched.foreground)


def largest_change(image: Pixels, normal: Pixels) -> Any:
    return np.abs(image.astype(int) - normal.astype(int)).max(axis=2)


@every_place
@every_row
def test_the_judge_measures_what_is_there(row: str, where: str) -> None:
    from skimage.color import deltaE_cie76, rgb2lab

    for made in [made for made in first_attempts(row, where) if made.verdict.area_pixels >= 8][:8]:
        normal, image, mask = made.scene.image, made.result.image, made.result.mask > 0
        rows, columns = np.nonzero(mask)
        assert made.result.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        difference = np.abs(image.astype(int) - normal.astype(int))
        colours = [np.broadcast_to(pixels, (*mask.shape, 3)) for pixels in (normal, image)]
        drawn = np.count_nonzero(made.defect.alpha)
        on_foreground = np.count_nonzero(made.defect.alpha[within(made.defect, made.scene.foreground) > 0])
        assert made.verdict.area_pixels == mask.sum() == on_foreground
        assert made.verdict.contrast == pytest.approx(difference.max(axis=2)[mask].mean(), abs=1e-4)
        assert made.verdict.contrast_mean == pytest.approx(difference[mask].mean(), abs=1e-4)
        lab = deltaE_cie76(*(rgb2lab(colour) for colour in colours))[mask].mean()
        assert made.verdict.contrast_lab == pytest.approx(lab, abs=0.02)
        assert made.verdict.foreground_overlap == pytest.approx(on_foreground / drawn, abs=1e-6)


def within(defect: Defect, plane: Pixels) -> Pixels:
    """The part of a plane of the image that lies in the defect's box."""
    height, width = defect.alpha.shape
    return plane[defect.top : defect.top + height, defect.left : defect.left + width]


@every_place
@every_row
def test_most_first_attempts_are_accepted(row: str, where: str) -> None:
    reasons = [made.verdict.reason for made in first_attempts(row, where)]
    assert reasons.count("") >= HARDER.get(row, MANY) * DRAWS, reasons


@every_place
@every_row
def test_delta_is_the_weight_of_the_anomaly(row: str, where: str) -> None:
    method = synthesizer(row)
    for made in first_attempts(row, where)[:8]:
        whole, weak = (
            composite(
                made.scene, make(method, [made.scene], [made.params.model_copy(update={"delta": delta})])[0]
            )
            for delta in (1.0, 0.37)
        )
        assert np.array_equal(whole.mask, weak.mask)
        wanted = 0.37 * whole.image + 0.63 * made.scene.image
        # A grey level more than the halves that the whole image, the weight and the weak image are rounded by.
        assert np.abs(weak.image - wanted).max() <= 1.5


@every_place
@every_row
def test_delta_lies_in_its_range(row: str, where: str) -> None:
    low, high = synthesizer(row).delta
    deltas = [made.params.delta for made in first_attempts(row, where)]
    assert low <= min(deltas)
    assert max(deltas) <= high
    assert max(deltas) - min(deltas) >= 0.9 * (high - low)
    assert all(made.params.strength == made.params.delta for made in first_attempts(row, where))


@every_place
@every_row
def test_needs_names_every_file_that_make_reads(row: str, where: str) -> None:
    for made in first_attempts(row, where)[:10]:
        library = place(where)[0].library.only(made.params.needs())  # type: ignore[attr-defined]
        scene = Scene(
            made.scene.sha256,
            made.scene.category,
            made.scene.kind,
            made.scene.image,
            made.scene.foreground,
            library,
        )
        assert_same(make(synthesizer(row), [scene], [made.params])[0], made.defect)
        assert library.read == made.params.needs()


def test_a_library_refuses_what_was_not_named() -> None:
    peers = place("grey texture 64x64")
    library = peers[0].library.only({peers[1].sha256})  # type: ignore[attr-defined]
    assert library.scene(peers[1].sha256) is peers[1]
    with pytest.raises(RefusedError):
        library.scene(peers[2].sha256)


@every_row
def test_sizes_scale_with_the_image(row: str) -> None:
    """The same numbers drawn on an image of twice the side give a defect of twice the side."""
    method = synthesizer(row)
    small = scenes("texture", 128, 128, 3, count=2)
    large = [larger(scene, 2) for scene in small]
    small[0].library.scenes = {scene.sha256: scene for scene in small}  # type: ignore[attr-defined]
    agreements = []
    for index in range(6):
        on_small = make(method, small[:1], [method.draw(stream(index), small[0])])[0]
        mask = composite(small[0], on_small).mask
        small[0].library.scenes = {scene.sha256: scene for scene in large}  # type: ignore[attr-defined]
        on_large = make(method, large[:1], [method.draw(stream(index), large[0])])[0]
        small[0].library.scenes = {scene.sha256: scene for scene in small}  # type: ignore[attr-defined]
        wanted = cv2.resize(mask, (256, 256), interpolation=cv2.INTER_NEAREST) > 0
        found = composite(large[0], on_large).mask > 0
        if wanted.any():
            agreements.append((wanted & found).sum() / (wanted | found).sum())
    assert np.median(agreements) >= 0.75, agreements

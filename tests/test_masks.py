"""Every reader of masks on one table of encodings: the same pixels everywhere, and the same refusals."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from synthgen.errors import InputError
from synthgen.evaluation.labelled import open_dataset
from synthgen.evaluation.test_set import TestSet
from synthgen.images.decode import UnusableImage
from synthgen.images.masks import read_mask
from synthgen.pipeline.file_index import FileIndex
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.image_store import PlanLibrary
from synthgen.pipeline.pipeline import Pipeline
from synthgen.pipeline.replay import Replay, render_again
from synthgen.plan.record import Record
from synthgen.recipe.recipe import Recipe
from synthgen.shards.encode import encode
from synthgen.shards.reader import RawSample
from tests.evaluation.sets import make_shards, picture, save
from tests.masks import MASK, READ, REFUSED, SIDE, Encoded, expected, pillow
from tests.recipes import small_recipe
from tests.shards.helpers import write_normals

Mask = npt.NDArray[np.bool_]
Reader = Callable[[Encoded], Mask]

BUILTIN = FileIndex([])
"""The photographs that are looked up once."""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> TestSet:
    """Samples of 64 x 64."""
    folder = make_shards(tmp_path_factory.mktemp("masks"), 8, "held-out")
    return open_dataset(str(folder)).test_set("waves")


@pytest.fixture(scope="module")
def sample() -> RawSample:
    """A sample as it is stored."""
    plan = freeze(small_recipe(normal_share=0, synthesizers=[{"method": "cutpaste"}]))
    made = Pipeline(plan).sample(0)
    return RawSample(made.facts.key, encode(made, plan.recipe.output), [])


def recipe_with_mask(encoded: Encoded, folder: Path) -> Recipe:
    """One normal image, and its foreground mask."""
    write_normals(folder / "good", count=1)
    (folder / "masks").mkdir()
    (folder / f"masks/good_0{encoded.suffix}").write_bytes(encoded.data)
    return small_recipe(
        source={"kind": "folder", "path": str(folder / "good")},
        size="native",
        foreground={"masks": str(folder / "masks")},
        synthesizers=[{"method": "cutpaste"}],
        normal_share=0,
    )


def foreground(encoded: Encoded, folder: Path) -> Mask:
    plan = freeze(recipe_with_mask(encoded, folder))
    return PlanLibrary(plan).scene(plan.images[0].sha256).foreground > 0


def truth(test_set: TestSet) -> Mask:
    anomalous = next(image for image in test_set.images if image.anomalous)
    return test_set.truth(anomalous, SIDE)[1]


def evaluated(encoded: Encoded, folder: Path) -> Mask:
    save(folder / "nut/train/good/0.png", picture(50, SIDE))
    save(folder / "nut/test/crack/0.png", picture(80, SIDE))
    mask = folder / f"nut/ground_truth/crack/0_mask{encoded.suffix}"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(encoded.data)
    return truth(open_dataset(str(folder)).test_set("nut"))


def of_shards(encoded: Encoded, shards: TestSet) -> Mask:
    """The truth of the shards' samples where all masks are stored as this one."""

    def stored(path: str) -> bytes:
        return encoded.data if path.endswith(".mask.png") else shards.read(path)

    return truth(replace(shards, read=stored))


def replayed(encoded: Encoded, sample: RawSample) -> Mask:
    changed = RawSample(sample.key, sample.members | {"mask.png": encoded.data}, [])
    return render_again(changed, BUILTIN).stored_mask > 0


@pytest.fixture(params=["foreground", "evaluate", "shards", "replay"])
def reader(request: pytest.FixtureRequest, shards: TestSet, sample: RawSample, tmp_path: Path) -> Reader:
    """A way from a file to its mask."""
    readers: dict[str, Reader] = {
        "foreground": lambda encoded: foreground(encoded, tmp_path),
        "evaluate": lambda encoded: evaluated(encoded, tmp_path),
        "shards": lambda encoded: of_shards(encoded, shards),
        "replay": lambda encoded: replayed(encoded, sample),
    }
    return readers[request.param]


@pytest.mark.parametrize("name", READ)
def test_every_reader_reads_every_encoding_alike(name: str, reader: Reader) -> None:
    np.testing.assert_array_equal(reader(READ[name]), expected(name))


@pytest.mark.parametrize("name", REFUSED)
def test_every_reader_refuses_alike_and_names_the_file(name: str, reader: Reader) -> None:
    encoded, reason = REFUSED[name]
    with pytest.raises(InputError, match=reason) as error:
        reader(encoded)
    assert any(file in str(error.value) for file in ("good_0.", "0_mask.", "mask.png"))
    with pytest.raises(UnusableImage) as own:
        read_mask(encoded.data)
    assert str(own.value) in str(error.value), "all give one reason"
    assert "\n" not in str(error.value)


def replay_with_foreground(encoded: Encoded, folder: Path) -> Replay:
    """Replay a sample whose record is made to name another file of its foreground mask."""
    plan = freeze(recipe_with_mask(pillow(np.where(MASK, 255, 0).astype(np.uint8)), folder))
    sample = Pipeline(plan).sample(0)
    record = Record.model_validate_json(sample.facts.params)
    changed = record.model_copy(update={"foreground_mask_sha256": sha256(encoded.data).hexdigest()})
    facts = sample.facts.model_copy(update={"params": changed.model_dump_json()})
    members = encode(sample, plan.recipe.output) | {"json": facts.model_dump_json().encode()}
    (folder / "other").mkdir()
    (folder / f"other/mask{encoded.suffix}").write_bytes(encoded.data)
    files = FileIndex([str(folder / "good"), str(folder / "other")])
    return render_again(RawSample(facts.key, members, []), files)


@pytest.mark.parametrize("name", ["RGBA, white on transparent", "class numbers", "1 bit, Pillow"])
def test_a_replay_reads_the_foreground_mask_alike(name: str, tmp_path: Path) -> None:
    assert replay_with_foreground(READ[name], tmp_path).identical


@pytest.mark.parametrize("name", ["JPEG", "palette, 0 white", "a photograph"])
def test_a_replay_refuses_a_foreground_mask_alike(name: str, tmp_path: Path) -> None:
    encoded, reason = REFUSED[name]
    with pytest.raises(InputError, match=rf"foreground: the mask of good_0\.png cannot be used: .*{reason}"):
        replay_with_foreground(encoded, tmp_path)


EMPTY = {
    "black": pillow(np.zeros((SIDE, SIDE), np.uint8)),
    "transparent black": pillow(np.zeros((SIDE, SIDE, 4), np.uint8)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_mask_is_one_and_right_for_an_image_without_defect_only(name: str, tmp_path: Path) -> None:
    assert not read_mask(EMPTY[name].data).any()
    assert not foreground(EMPTY[name], tmp_path / "foreground").any()
    with pytest.raises(InputError, match=r"0_mask.png is empty, and its image nut/test/crack/0.png"):
        evaluated(EMPTY[name], tmp_path / "evaluated")

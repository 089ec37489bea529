"""The sdas methods from recipe to shards: bytes, label truth, replay, the bank, and what cannot work."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import synthgen
from synthgen.diffusion.model_files import FACTS, SCHEDULER_CONFIG, WEIGHTS
from synthgen.engines.local import LocalEngine
from synthgen.engines.run import open_run
from synthgen.errors import InputError, RunError
from synthgen.images.decode import decode
from synthgen.pipeline.file_index import FileIndex
from synthgen.pipeline.paired_normals import normal_images
from synthgen.pipeline.pipeline import Pipeline
from synthgen.pipeline.replay import render_again
from synthgen.sample import Facts
from synthgen.shards.reader import RawSample, read_samples
from synthgen.shards.verify import verify_shards
from synthgen.storage.root import Root
from tests.recipes import small_recipe
from tests.synthesizers.scenes import random_model

CATEGORIES = ["brick", "coffee", "gravel"]
QUICK = {"steps": 3, "batch": 8}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of random weights, of patches of 16 x 16 out of images of 40 x 40."""
    directory = tmp_path_factory.mktemp("model")
    return str(random_model(directory, 16, CATEGORIES, view="patch", image_size=(40, 40)))


def recipe(model: str, *methods: dict[str, Any], **fields: Any) -> synthgen.Recipe:
    synthesizers = [{"model": model, "sampling": QUICK} | method for method in methods]
    source = {"kind": "builtin", "categories": CATEGORIES}
    output = {"shard_size": 6, "keep_normal": False}
    return small_recipe(
        **{"source": source, "size": [40, 40], "synthesizers": synthesizers, "output": output} | fields
    )


def generate(wanted: synthgen.Recipe, folder: Path, **engine: int) -> list[RawSample]:
    run = open_run(synthgen.freeze(wanted), str(folder))
    for _ in run.make(LocalEngine(**{"workers": 2, "device": "cpu"} | engine)):  # type: ignore[arg-type]
        pass
    root = Root(str(folder))
    return [sample for shard in run.shards for sample in read_samples(root, shard)]


def sums(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in sorted(folder.glob("*.tar"))}


def test_workers_and_batches_change_no_byte(model: str, tmp_path: Path) -> None:
    wanted = recipe(
        model,
        {"method": "sdas", "view": "patch", "mask": {"scales": [0, 2], "threshold": 0.1}},
        {"method": "sdas-image", "view": "resized"},
        {"method": "sdas-local", "view": "resized", "sampling": QUICK | {"batch": 3}},
    )
    generate(wanted, tmp_path / "a", workers=2, batch_size=32)
    generate(wanted, tmp_path / "b", workers=1, batch_size=1)
    assert sums(tmp_path / "a") == sums(tmp_path / "b")
    assert len(sums(tmp_path / "a")) == 4
    report = verify_shards(tmp_path / "a")
    assert report.ok, report.lines()


def test_a_stored_sample_is_rendered_again_from_its_record(model: str, tmp_path: Path) -> None:
    wanted = recipe(
        model,
        {"method": "sdas", "view": "patch", "mask": {"scales": [0, 2], "threshold": 0.1}},
        {"method": "sdas-image", "view": "resized"},
        {"method": "sdas-local", "view": "patch", "mask": {"scales": [0, 2], "threshold": 0.1}},
        count=12,
    )
    samples = generate(wanted, tmp_path / "out")
    results = [render_again(sample, FileIndex([model])) for sample in samples]
    assert all(result.identical for result in results)
    assert {result.facts.method for result in results} >= {"sdas", "sdas-image", "sdas-local"}
    anomalous = next(sample for sample in samples if sample.members["cls"] == b"1")
    with pytest.raises(InputError, match=r"no diffusion model with sha256 .* --source"):
        render_again(anomalous, FileIndex([]))


def test_whole_images_say_that_they_have_no_pair(model: str) -> None:
    plan = synthgen.freeze(recipe(model, {"method": "sdas-image", "view": "resized"}, normal_share=0.0))
    sample = Pipeline(plan).sample(3)
    facts = sample.facts
    assert not facts.paired
    assert (facts.label, facts.strength_name, facts.contrast, facts.box) == (1, "s", 0.0, [0, 0, 40, 40])
    assert 0.1 <= facts.strength <= 0.2
    assert (sample.mask == 255).all()
    assert facts.area == 1.0


def test_strength_changes_the_picture_and_nothing_else(model: str) -> None:
    plans = [
        synthgen.freeze(
            recipe(model, {"method": "sdas-image", "view": "resized", "s": [s, s]}, normal_share=0.0)
        )
        for s in (0.0, 0.5)
    ]
    weak, strong = (Pipeline(plan).sample(1) for plan in plans)
    assert weak.facts.source_sha256 == strong.facts.source_sha256
    assert not np.array_equal(weak.image, strong.image)
    assert np.array_equal(weak.image, Pipeline(plans[0]).sample(1).image)


def test_a_bank_gives_its_stored_pictures(model: str, tmp_path: Path) -> None:
    bank = str(tmp_path / "bank")
    stored = generate(
        recipe(model, {"method": "sdas-image", "view": "resized"}, normal_share=0.0, spread="categories"),
        Path(bank),
    )
    wanted = recipe(
        model,
        {"method": "sdas", "bank": bank, "delta": [1.0, 1.0], "mask": {"scales": [0, 2], "threshold": 0.1}},
        normal_share=0.0,
        seed=9,
    )
    samples = generate(wanted, tmp_path / "out")
    pictures = {sample.key: decode(sample.members["png"]) for sample in stored}
    categories = {sample.key: Facts.model_validate_json(sample.members["json"]).category for sample in stored}
    for sample in samples:
        facts = Facts.model_validate_json(sample.members["json"])
        image, mask = decode(sample.members["png"]), decode(sample.members["mask.png"])[..., 0] > 0
        origins = [key for key, picture in pictures.items() if np.array_equal(picture[mask], image[mask])]
        assert len(origins) == 1
        assert categories[origins[0]] == facts.category
    assert render_again(samples[0], FileIndex([bank])).identical
    report = verify_shards(tmp_path / "out")
    assert report.ok, report.lines()


def test_a_plan_pins_the_model(model: str, tmp_path: Path) -> None:
    other = str(random_model(tmp_path / "m", 16, CATEGORIES, view="patch", image_size=(40, 40)))
    plan = synthgen.freeze(recipe(other, {"method": "sdas-image", "view": "resized"}))
    again = synthgen.freeze(recipe(model, {"method": "sdas-image", "view": "resized"}))
    assert plan.fingerprint == again.fingerprint  # the same model at another place
    weights = Path(other) / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(RunError, match="changed since the plan was made"):
        list(Pipeline(plan).samples(range(9)))


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another size": (
        {"method": "sdas-image"},
        {},
        r"makes 16 x 16 pixels and the samples have 40 x 40; say how",
    ),
    "patches of other images": (
        {"method": "sdas-local", "view": "patch"},
        {"size": [48, 48]},
        r"needs a model of patches out of 48 x 48 images.*patches of 40 x 40",
    ),
    "an unknown category": (
        {"method": "sdas", "view": "patch"},
        {"source": {"kind": "builtin", "categories": ["brick", "coins"]}},
        r"knows brick, coffee, gravel, and the source also has coins",
    ),
    "tiles, resized": (
        {"method": "sdas-local", "view": "resized"},
        {"resize": "tile"},
        r"needs a model that saw patches at the images' own resolution, and view: resized changes it",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_model_that_cannot_serve_is_refused(case: str, model: str) -> None:
    method, fields, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        synthgen.freeze(recipe(model, method, **fields))


def test_tiles_are_met_by_a_model_of_patches_at_their_resolution(model: str, tmp_path: Path) -> None:
    """Whatever size the images have that the model's patches came from: the tiles do not say it."""
    wanted = recipe(
        model,
        {"method": "sdas", "view": "patch", "mask": {"scales": [0, 2], "threshold": 0.1}},
        {"method": "sdas-local", "view": "patch", "mask": {"scales": [0, 2], "threshold": 0.1}},
        size=[48, 64],
        resize="tile",
        count=12,
    )
    samples = generate(wanted, tmp_path / "out")
    assert verify_shards(tmp_path / "out", normal_images(synthgen.freeze(wanted), None)).ok
    assert all(render_again(sample, FileIndex([model])).identical for sample in samples)
    exact = recipe(model, {"method": "sdas", "view": "exact"}, size=[16, 16], resize="tile")
    assert Pipeline(synthgen.freeze(exact)).sample(1).image.shape == (16, 16, 3)


def test_a_model_of_other_pictures_than_tiles_is_refused(model: str, tmp_path: Path) -> None:
    whole = str(random_model(tmp_path / "whole", 16, CATEGORIES))
    for view in ("exact", "patch", "resized"):
        with pytest.raises(
            InputError, match=r"sdas: resize: tile needs .* and \S+ saw whole images, resized"
        ):
            synthgen.freeze(recipe(whole, {"method": "sdas", "view": view}, size=[16, 16], resize="tile"))
    large = str(random_model(tmp_path / "large", 32, CATEGORIES, view="patch", image_size=(40, 40)))
    with pytest.raises(InputError, match=r"makes 32 x 32 pixels, and the tiles have only 64 x 16"):
        synthgen.freeze(recipe(large, {"method": "sdas", "view": "patch"}, size=[16, 64], resize="tile"))


def test_a_bank_is_refused_for_tiles(model: str, tmp_path: Path) -> None:
    generate(recipe(model, {"method": "sdas-image", "view": "resized"}, normal_share=0.0), tmp_path / "bank")
    with pytest.raises(InputError, match=r"does not say at which resolution.*leave the bank out"):
        synthgen.freeze(recipe(model, {"method": "sdas", "bank": str(tmp_path / "bank")}, resize="tile"))


BROKEN = {
    "no directory": (None, "no such directory; train one"),
    "no scheduler": (SCHEDULER_CONFIG, "has no scheduler/scheduler_config.json"),
    "no weights": (WEIGHTS, "has no unet/diffusion_pytorch_model.safetensors"),
    "no facts": (FACTS, "has no synthgen.json"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_directory_that_is_no_model_is_refused(case: str, tmp_path: Path) -> None:
    missing, message = BROKEN[case]
    if missing:
        random_model(tmp_path / "m", 16, CATEGORIES)
        (tmp_path / "m" / missing).unlink()
    with pytest.raises(InputError, match=message):
        synthgen.freeze(recipe(str(tmp_path / "m"), {"method": "sdas-image", "view": "resized"}))


def test_files_of_two_models_are_noticed(tmp_path: Path) -> None:
    random_model(tmp_path / "m", 16, CATEGORIES)
    random_model(tmp_path / "n", 32, CATEGORIES)
    (tmp_path / "n" / FACTS).replace(tmp_path / "m" / FACTS)
    with pytest.raises(InputError, match=r"takes 3 channels at 16 pixels, and synthgen.json says 3 at 32"):
        synthgen.load_model(tmp_path / "m")


@pytest.mark.parametrize("s", [[-0.1, 0.2], [0.3, 0.2], [0.1, float("inf")], [0, 1001]])
def test_a_strength_that_is_none_is_refused(s: list[float], model: str) -> None:
    with pytest.raises(ValueError, match=r"greater than or equal to 0|is above|less than or equal to 1000"):
        recipe(model, {"method": "sdas-image", "s": s})


def test_a_sampler_that_sdas_local_does_not_have_is_refused(model: str) -> None:
    with pytest.raises(ValueError, match="sdas-local takes ancestral steps alone, and sampler is ddim"):
        recipe(model, {"method": "sdas-local", "sampling": {"sampler": "ddim"}})


def test_keeping_normal_images_that_are_no_pairs_is_refused(model: str) -> None:
    with pytest.raises(ValueError, match="keep_normal asks for paired normal images, and sdas-image has"):
        recipe(model, {"method": "sdas-image"}, output={"keep_normal": True})

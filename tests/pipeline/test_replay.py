"""Replay: every stored sample is rendered again, from its record alone."""

import shutil
from pathlib import Path

import pytest

import synthgen
from synthgen.engines.local import LocalEngine
from synthgen.engines.run import open_run
from synthgen.errors import InputError
from synthgen.pipeline.file_index import FileIndex
from synthgen.pipeline.pipeline import Pipeline
from synthgen.pipeline.replay import render_again
from synthgen.shards.reader import RawSample, read_samples
from synthgen.storage.root import Root
from tests.pipeline.test_freeze import write_images
from tests.recipes import ALL_METHODS, small_recipe


def generate(recipe: synthgen.Recipe, folder: Path) -> list[RawSample]:
    """Generate, delete everything but the tars, and read the samples back."""
    run = open_run(synthgen.freeze(recipe), str(folder))
    for _ in run.make(LocalEngine(2)):
        pass
    for file in folder.iterdir():
        if file.suffix != ".tar":
            file.unlink()
    root = Root(str(folder))
    return [sample for shard in run.shards for sample in read_samples(root, shard)]


@pytest.mark.needs_data
def test_two_hundred_samples_of_all_methods_are_identical(data: Path, tmp_path: Path) -> None:
    source = {"kind": "mvtec", "path": str(data / "data/mvtec"), "categories": ["bottle"]}
    textures = {"method": "perlin-texture", "textures": str(data / "data/dtd/images")}
    recipe = small_recipe(
        source=source, count=200, size=[96, 96], synthesizers=[*ALL_METHODS, textures], normal_share=0.05
    )
    samples = generate(recipe, tmp_path)
    files = FileIndex([str(data / "data/mvtec/bottle/train"), str(data / "data/dtd/images")])
    results = [render_again(sample, files) for sample in samples]
    assert len(results) == 200
    assert all(result.lossless and result.identical for result in results)
    assert {result.facts.method for result in results} >= {method["method"] for method in ALL_METHODS}


def test_the_images_may_have_moved_and_have_other_names(tmp_path: Path) -> None:
    write_images(tmp_path / "good", 4)
    recipe = small_recipe(source={"kind": "folder", "path": str(tmp_path / "good")}, size=[40, 50])
    samples = generate(recipe, tmp_path / "out")
    shutil.move(tmp_path / "good", tmp_path / "elsewhere")
    for number, file in enumerate(sorted((tmp_path / "elsewhere").iterdir())):
        file.rename(file.with_name(f"renamed-{number}.png"))
    files = FileIndex([str(tmp_path / "elsewhere")])
    assert all(render_again(sample, files).identical for sample in samples)


def test_another_image_in_place_of_the_normal_one_is_not_taken(tmp_path: Path) -> None:
    write_images(tmp_path / "good", 1)
    recipe = small_recipe(source={"kind": "folder", "path": str(tmp_path / "good")}, count=1)
    [sample] = generate(recipe, tmp_path / "out")
    with (tmp_path / "good/00.png").open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match=r"no file with sha256 .* --source"):
        render_again(sample, FileIndex([str(tmp_path / "good")]))


def test_a_forged_pixel_is_noticed() -> None:
    from synthgen.images import png
    from synthgen.shards.encode import encode

    plan = synthgen.freeze(small_recipe(normal_share=0))
    sample = Pipeline(plan).sample(0)
    members = encode(sample, plan.recipe.output)
    files = FileIndex([])
    assert render_again(RawSample(sample.facts.key, members, []), files).identical
    image, mask = sample.image.copy(), sample.mask.copy()
    image[0, 0] ^= 1
    mask[0, 0] ^= 255
    for forged in ({"png": png.encode(image)}, {"mask.png": png.encode(mask)}):
        assert not render_again(RawSample(sample.facts.key, members | forged, []), files).identical


def test_a_jpeg_is_told_to_be_near(tmp_path: Path) -> None:
    recipe = small_recipe(output={"image_format": "jpg"}, count=6)
    for sample in generate(recipe, tmp_path):
        result = render_again(sample, FileIndex([]))
        assert result.identical
        assert not result.lossless
        assert 0 < result.largest_difference < 64

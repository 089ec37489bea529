"""The public names, used as a program would use them: no command line, no parsed options."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import synthgen
from synthgen import (
    AnomalyDataset,
    DetectorChoice,
    Pipeline,
    TrainingSettings,
    evaluate,
    fit_detector,
    freeze,
    generate,
    load_detector,
    load_model,
    load_recipe,
    preview,
    replay,
    score,
    train_diffusion,
    verify,
)
from synthgen.cli.progress import bars
from synthgen.engines.base import News
from synthgen.engines.run import Run
from synthgen.errors import InputError
from synthgen.recipe.recipe import Recipe
from tests.diffusion.training.trainings import forget_accelerator, make_presets_small
from tests.evaluation.sets import mvtec_category
from tests.recipes import small_recipe
from tests.shards.helpers import write_normals

SMALL = DetectorChoice("padim", {"image_size": 32, "channels": 20}, weights="random", device="cpu")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards that `generate` wrote with one worker."""
    out = tmp_path_factory.mktemp("public") / "shards"
    run = generate(small_recipe(), out, workers=1, device="cpu")
    assert sorted(run.marks) == [0, 1, 2, 3]
    return out


def test_the_module_shows_the_public_names_and_nothing_else() -> None:
    assert dir(synthgen) == sorted(synthgen.__all__)
    for name in synthgen.__all__:
        assert getattr(synthgen, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'make'"):
        synthgen.make  # noqa: B018


def test_the_names_cost_nothing_until_they_are_used() -> None:
    heavy = "('numpy', 'torch', 'cv2', 'pydantic')"
    code = f"import sys, synthgen; dir(synthgen); print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_a_run_is_watched_from_its_beginning(shards: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, News]] = []

    def watch(run: Run, news: News) -> None:
        seen.append((len(run.missing), news))

    stages: list[str] = []
    plan = freeze(small_recipe(count=7), lambda what, unit: stages.append(what) or bars(what, unit))  # type: ignore[func-returns-value]
    generate(plan, tmp_path / "out", workers=1, observer=watch)
    assert stages == ["looking at the images", "finding the foreground"]
    assert seen[0] == (2, News())
    assert sum(news.samples for _, news in seen) == 7
    assert [news.finished.count for _, news in seen if news.finished] == [6, 1]
    generate(small_recipe(), shards, shards=[1, 2], observer=watch)
    assert seen[-1] == (0, News())  # nothing was left to do


def test_what_was_made_is_verified_replayed_and_drawn(shards: Path, tmp_path: Path) -> None:
    assert verify(shards).ok
    again = replay(shards / "000000.tar", "000000001")
    assert again.identical
    again.write(tmp_path / "again")
    assert {path.name for path in (tmp_path / "again").iterdir()} == {
        "000000001.png",
        "000000001.mask.png",
        "000000001.normal.png",
    }
    drawn = preview(small_recipe(), 4, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").is_file()
    assert drawn.width > 4 * 64
    with pytest.raises(InputError, match="101 samples: 1 to 100 are looked at"):
        preview(small_recipe(), 101)


def test_a_dataset_has_the_samples_of_the_pipeline() -> None:
    plan = freeze(load_recipe("cutout", ["count=3", "size=[64, 64]"]))
    dataset, pipeline = AnomalyDataset(plan), Pipeline(plan)
    for index in range(3):
        image = dataset[index]["image"].numpy().transpose(1, 2, 0)
        assert np.array_equal(image, pipeline.sample(index).image)


def test_a_detector_is_fitted_saved_and_scores(tmp_path: Path) -> None:
    normals = write_normals(tmp_path / "good")
    fitted = fit_detector(SMALL, normals, tmp_path / "detector")
    assert (fitted.images, list(fitted.rejected)) == (4, [])
    by_object = score(fitted.detector, normals, tmp_path / "maps")
    by_directory = score(tmp_path / "detector", normals, device="cpu")
    assert by_object.scores == by_directory.scores
    assert sorted(by_object.scores) == [path.name for path in sorted(normals.iterdir())]
    name, value = next(iter(by_object.scores.items()))
    assert np.load(tmp_path / "maps" / f"{name}.npy").max() == pytest.approx(value)
    assert by_object.csv().splitlines()[0] == "path,score"
    assert load_detector(tmp_path / "detector", "cpu").method == "padim"


def test_a_detector_is_evaluated(tmp_path: Path) -> None:
    mvtec_category(tmp_path / "parts" / "nut")
    report = evaluate(SMALL, tmp_path / "parts", tmp_path / "report", seeds=1)
    assert [category.category for category in report.categories] == ["nut"]
    assert (tmp_path / "report" / "report.json").is_file()
    with pytest.raises(InputError, match=r"neither a method .* nor a directory"):
        evaluate("padim2", tmp_path / "parts")


def test_a_model_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_presets_small(monkeypatch)
    settings = TrainingSettings(size=16)
    normals = write_normals(tmp_path / "good", count=10, side=16)
    seen: list[int] = []
    trained = train_diffusion(
        normals,
        tmp_path / "model",
        settings,
        steps=2,
        device="cpu",
        observer=lambda training, done, update: seen.append(done),
    )
    forget_accelerator()
    assert (trained.images, trained.updates, trained.was_finished) == (8, 2, False)
    assert seen == [0, 1, 2]
    assert load_model(tmp_path / "model").side == 16


def test_a_recipe_is_one_type_wherever_it_comes_from() -> None:
    assert isinstance(load_recipe("mixed"), Recipe)
    assert synthgen.Recipe is Recipe

"""What an update sees: every image once before any again, none twice in a batch, copies that differ."""

import shutil
from pathlib import Path

import pytest
import torch

import synthgen
from synthgen.errors import InputError
from synthgen.pretraining.images import PretrainingImages, read_images
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.runtime.progress import silent
from synthgen.sources.named import named_source
from tests.cli.helpers import write_pictures

SIDE = 32


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretraining") / "good"
    write_pictures(folder, 20, height=64, width=48)
    return folder


def settings(**more: object) -> PretrainingSettings:
    return PretrainingSettings.model_validate({"size": SIDE, "batch": 6, **more})


def read(good: Path, recipe: str = "cutpaste", **more: object) -> PretrainingImages:
    return read_images(named_source(str(good)), synthgen.load_recipe(recipe), settings(**more), silent)


def test_an_epoch_shows_each_image_once_but_for_what_is_left_over(good: Path) -> None:
    images = read(good)
    assert images.count == 16  # a fifth is held out
    for epoch in range(3):
        batches = [images.batch(number, settings(spd="none")) for number in (2 * epoch, 2 * epoch + 1)]
        seen = torch.cat([batch.numbers for batch in batches]).tolist()
        assert len(set(seen)) == 12
        assert batches[0].images.shape == (6, 3, SIDE, SIDE)


def test_copies_are_the_images_with_a_defect(good: Path) -> None:
    images = read(good)
    batch = images.batch(3, settings())
    alone = images.batch(3, settings(spd="none"))
    assert torch.equal(batch.images, alone.images) and torch.equal(batch.numbers, alone.numbers)
    assert alone.copies is None and batch.copies is not None
    for image, copy, differs in zip(batch.images, batch.copies, batch.differs.tolist(), strict=True):
        changed = (image != copy).any(0).float().mean()
        assert differs == bool(changed > 0)
        assert changed < 0.4
    assert batch.differs.sum() >= 5


def test_parts_of_a_batch_are_the_batch(good: Path) -> None:
    images = read(good)
    whole = images.batch(1, settings())
    parts = [images.batch(1, settings(accumulate=3), part) for part in range(3)]
    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert torch.equal(torch.cat([part.numbers for part in parts]), whole.numbers)


def test_copies_of_one_file_are_one_image(tmp_path: Path) -> None:
    write_pictures(tmp_path / "good", 10)
    for number in range(6):
        shutil.copy(tmp_path / "good" / "00.png", tmp_path / "good" / f"copy-{number}.png")
    with pytest.raises(InputError, match=r"and \d that are the same as others\); a batch of 12 needs"):
        read(tmp_path / "good", batch=12)


def test_the_seed_decides_order_and_defects(good: Path) -> None:
    one, same, other = (read(good, seed=seed).batch(0, settings()) for seed in (0, 0, 1))
    assert one.copies is not None and same.copies is not None
    assert torch.equal(one.copies, same.copies) and torch.equal(one.images, same.images)
    assert one.numbers.tolist() != other.numbers.tolist()


def test_held_out_images_are_never_seen(good: Path) -> None:
    images = read(good)
    held_out = {image.sha256 for image in images.plan.images if image.split == "held-out"}
    assert len(held_out) == 4 and not held_out & set(images._numbers)


@pytest.mark.parametrize(
    ("count", "batch", "told"),
    [
        (4, 6, r"has 4 images to train on \(4 usable, of which 0 are held out.*needs 8 or more"),
        (20, 17, "has 16 images to train on .*a batch of 17 needs as many; give 16 or less, or add images"),
    ],
)
def test_too_few_images(tmp_path: Path, count: int, batch: int, told: str) -> None:
    write_pictures(tmp_path / "few", count)
    with pytest.raises(InputError, match=told):
        read(tmp_path / "few", batch=batch)

"""Bad images, and sources without good ones, are named in one line."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.helpers import Run, assert_true, bomb, encoded, picture, write_pictures


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


BAD_IMAGES = {
    "text.png": (b"hello\n", r"starts with 'hello\\n'; a PNG, .* is expected"),
    "empty.png": (b"", "the file is empty"),
    "truncated.png": (half(encoded(picture(1))), "the image is damaged and cannot be decoded"),
    "truncated.jpg": (half(encoded(picture(1), "JPEG")), "the image is damaged and cannot be decoded"),
    "bomb.png": (bomb(), r"50000 x 50000 pixels \(2500 megapixels\); at most 64 are read"),
    "one.png": (encoded(np.zeros((1, 1, 3), np.uint8)), "1 x 1 pixels; at least 16 a side"),
    "thin.png": (encoded(np.zeros((15, 400), np.uint8)), "400 x 15 pixels; at least 16 a side"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_among_good_ones_is_named(name: str, here: Path, run: Run) -> None:
    data, reason = BAD_IMAGES[name]
    (here / "good" / name).write_bytes(data)
    skipped = run("generate", "r.yaml", "--out", "out", "--workers", "1")
    assert skipped.code == 0
    assert re.search(f"^skipped {name}: .*{reason}", skipped.err, re.MULTILINE)
    [rejected] = json.loads((here / "out/plan.json").read_text())["rejected"]
    assert rejected["path"] == name
    assert re.search(reason, rejected["reason"])
    failed = run("generate", "r.yaml", "--out", "failed", "--set", "on_bad_image=fail")
    failed.assert_refused_at_once(f"{name}: .*{reason}.*on_bad_image: skip")
    assert not (here / "failed").exists()


def test_a_dangling_link_is_a_bad_image_and_a_replay_passes_over_it(here: Path, run: Run) -> None:
    (here / "good/gone.png").symlink_to("nowhere")
    made = run("generate", "r.yaml", "--out", "out")
    assert "skipped gone.png: " in made.err
    assert_true(run, "out", "good", 6, 3)


def test_bad_names_cannot_write_to_the_terminal(here: Path, run: Run) -> None:
    (here / "good/a\n\x1b[31mb.png").write_text("")
    assert "skipped a  [31mb.png: the file is empty" in run("generate", "r.yaml", "--out", "out").err


def test_only_bad_images_are_refused_and_the_first_is_named(here: Path, run: Run) -> None:
    (here / "odd").mkdir()
    for name in ("a.png", "b.png"):
        (here / "odd" / name).write_text("")
    run("check", "r.yaml", "--source", "odd").assert_refused_at_once("none of the 2 images .*a.png: the file")
    run("init", "odd").assert_refused_at_once(r"odd has no usable image; a\.png: the file is empty")
    assert not (here / "recipe.yaml").exists()


def test_an_image_smaller_than_the_crop_is_left_out_or_refused(here: Path, run: Run) -> None:
    Image.fromarray(picture(9, 80, 80)).save(here / "good/large.png")
    crop = ("--set", "resize=crop", "--set", "size=[72, 72]")
    skipped = run("generate", "r.yaml", "--out", "out", *crop)
    assert skipped.code == 0
    assert (
        len(re.findall("skipped 0.*is 64 x 64 pixels, smaller than the 72 x 72 to be cropped", skipped.err))
        == 3
    )
    failed = run("check", "r.yaml", *crop, "--set", "on_bad_image=fail")
    failed.assert_refused_at_once(r"00\.png: is 64 x 64 pixels, smaller than")
    none = run("check", "r.yaml", "--set", "resize=crop", "--set", "size=[90, 90]")
    none.assert_refused_at_once("none of the 4 images of the source can be used")


def test_native_size_of_a_mixed_folder_is_refused(here: Path, run: Run) -> None:
    Image.fromarray(picture(9, 80, 72)).save(here / "good/large.png")
    run("check", "r.yaml", "--set", "size=native").assert_refused_at_once(
        r"needs images of one size, and the source has 2 sizes \(64 x 64, 72 x 80\)"
    )


SOURCES = {
    "a missing folder": ("none", "none does not exist"),
    "an empty folder": ("empty", "empty has no image that matches"),
    "a folder without images": ("notes", "notes has no image that matches"),
    "a file": ("good/00.png", r"good/00\.png is a file; a folder with images is expected"),
    "an unknown protocol": ("foo://x", "foo://x cannot be read: .*Protocol not known"),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_source_without_images_is_refused(case: str, here: Path, run: Run) -> None:
    source, pattern = SOURCES[case]
    (here / "empty").mkdir()
    (here / "notes").mkdir()
    (here / "notes/a.txt").write_text("x")
    run("check", "r.yaml", "--source", source).assert_refused_at_once(pattern)
    run("generate", "r.yaml", "--out", "out", "--source", source).assert_refused_at_once(pattern)
    run("init", source).assert_refused_at_once(pattern)
    assert sorted(file.name for file in here.iterdir()) == ["empty", "good", "notes", "r.yaml"]


def test_an_unknown_category_is_named_with_the_nearest(here: Path, run: Run) -> None:
    for category in ("bottle", "cable"):
        write_pictures(here / "mvtec" / category / "train/good")
    source = "source={kind: mvtec, path: mvtec, categories: [botle]}"
    run("check", "r.yaml", "--set", source).assert_refused_at_once(
        "mvtec has no category 'botle', only bottle, cable; did you mean bottle"
    )


def test_hidden_and_foreign_files_are_no_images(here: Path, run: Run) -> None:
    for name in (".DS_Store", "Thumbs.db", ".hidden.png", "._00.png", "notes.txt"):
        (here / "good" / name).write_text("x")
    (here / "good/folder.png").mkdir()
    assert "3 normal" in (checked := run("check", "r.yaml")).out
    assert "rejected     none" in checked.out
    assert checked.err == ""


def test_equal_names_in_different_categories_stay_apart(here: Path, run: Run) -> None:
    for number, category in enumerate(("bottle", "cable")):
        write_pictures(here / "mvtec" / category / "train/good", first=10 * number)
    source = "source={kind: mvtec, path: mvtec, held_out: 0}"
    assert run("generate", "r.yaml", "--out", "out", "--set", source).code == 0
    assert_true(run, "out", "mvtec", 6, 3)
    images = json.loads((here / "out/plan.json").read_text())["images"]
    assert len({image["sha256"] for image in images}) == 6


def test_a_copy_in_another_category_is_left_out(here: Path, run: Run) -> None:
    """A scene is known by its file's hash: with a copy, it would have the foreground of either category."""
    write_pictures(here / "mvtec/dark/train/good")
    write_pictures(here / "mvtec/grey/train/good", first=2)
    source = "source={kind: mvtec, path: mvtec, held_out: 0}"
    result = run("generate", "r.yaml", "--out", "out", "--set", source, "--set", "foreground=auto")
    assert "skipped grey/train/good/00.png: is a copy of dark/train/good/02.png" in result.err
    assert_true(run, "out", "mvtec", 6, 3)

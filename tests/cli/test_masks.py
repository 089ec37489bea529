"""Masks in other encodings than grey 0 and 255, from the command line: the same numbers, or one line."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from synthgen.detectors import registry
from tests.cli.helpers import AS_IT_SHOULD_BE, RECIPE, Run, write_pictures
from tests.evaluation.sets import PIXEL_AUROC, Brightness, mvtec_category, patch_mask
from tests.masks import READ, REFUSED, Encoded, opencv, pillow

SQUARE = np.zeros((64, 64), np.uint8)
SQUARE[16:48, 16:48] = 255
HALVES = np.where(np.arange(64) < 32, SQUARE // 255, SQUARE // 127)
SPECK = np.where(SQUARE > 0, 100, 0).astype(np.uint8)
SPECK[20, 20] = 255
QUARTERS = {
    "plain": pillow(SQUARE),
    "rgba": pillow(np.dstack([SQUARE] * 4)),
    "la": pillow(np.dstack([np.full_like(SQUARE, 255), SQUARE]), mode="LA"),
    "alpha alone": opencv(np.dstack([np.zeros_like(SQUARE)] * 3 + [SQUARE])),
    "classes": pillow(HALVES),
    "speck": pillow(SPECK),
}


def give_masks(folder: Path, encoded: Encoded) -> None:
    folder.mkdir()
    for number in range(3):
        (folder / f"{number:02d}{encoded.suffix}").write_bytes(encoded.data)


@pytest.mark.parametrize("kind", QUARTERS)
def test_a_quarter_is_a_quarter_in_every_encoding(kind: str, here: Path, run: Run) -> None:
    give_masks(here / "masks", QUARTERS[kind])
    (here / "r.yaml").write_text(RECIPE.replace("foreground: all", "foreground: {masks: masks}"))
    assert run("generate", "r.yaml", "--out", "out", "--workers", 1).code == 0
    with tarfile.open(here / "out/000000.tar") as shard:
        for key in ("000000000", "000000001", "000000002"):
            member = shard.extractfile(f"{key}.json")
            assert member
            assert json.load(member)["foreground_area"] == 0.25
    assert run("verify", "out").out.endswith(f"{AS_IT_SHOULD_BE}\n")
    replayed = run(
        "replay", "out/000000.tar", "000000001", "--source", "good", "--source", "masks", "--out", "again"
    )
    assert replayed.out.endswith(": identical\n")


@pytest.mark.parametrize("command", ["check", "generate", "preview"])
@pytest.mark.parametrize(
    "kind", ["JPEG", "palette, 0 white", "RGBA, black on transparent white", "a photograph"]
)
def test_what_is_no_mask_is_named_before_work_begins(kind: str, command: str, here: Path, run: Run) -> None:
    encoded, reason = REFUSED[kind]
    give_masks(here / "masks", READ["grey 0/255, Pillow"])
    (here / "masks/01.png").unlink()
    (here / f"masks/01{encoded.suffix}").write_bytes(encoded.data)
    out = () if command == "check" else ("--out", "out")
    refused = run(command, "r.yaml", "--set", "foreground={masks: masks}", *out)
    refused.assert_refused(rf"^synthgen: foreground: the mask 01{encoded.suffix} cannot be used: .*{reason}")
    assert not (here / "out").exists()


def test_pictures_in_place_of_masks(here: Path, run: Run) -> None:
    write_pictures(here / "pictures", channels=3)
    for command in ("check", "generate"):
        out = () if command == "check" else ("--out", "out")
        refused = run(command, "r.yaml", "--set", "foreground={masks: pictures}", *out)
        refused.assert_refused(r"the mask 00\.png cannot be used: .*give the mask if this is a picture$")


def evaluated(here: Path, run: Run, pixels: np.ndarray) -> str:
    """The table of a detector that scores pixels by their brightness."""
    mvtec_category(here / "parts" / "nut")
    for mask in (here / "parts/nut/ground_truth/crack").iterdir():
        mask.write_bytes(pillow(pixels).data)
    result = run(
        "evaluate", "brightness", "parts", "--weights", "random", "--seeds", 1, "--set", "image_size=32"
    )
    assert result.code == 0, result
    return result.out


@pytest.mark.parametrize("kind", ["rgba", "red", "alpha", "classes", "one"])
def test_evaluate_gives_the_same_numbers_for_the_same_masks(
    kind: str, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.DETECTORS, "brightness", Brightness)
    mask = patch_mask()
    nothing = np.zeros_like(mask)
    classes = patch_mask(1)
    classes[:12][mask[:12] > 0] = 2
    pixels = {
        "rgba": np.dstack([mask] * 4),
        "red": np.dstack([mask, nothing, nothing, mask]),
        "alpha": np.dstack([nothing, nothing, nothing, mask]),
        "classes": classes,
        "one": patch_mask(1),
    }
    expected = evaluated(here, run, mask)
    assert f"{PIXEL_AUROC:.3f}" in expected
    assert evaluated(here, run, pixels[kind]) == expected

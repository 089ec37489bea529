"""What ``check`` says of a plan, line by line."""

from synthgen.config.reader import parse_model
from synthgen.diffusion.model_files import PinnedModel, pin
from synthgen.images.depth import DepthRange
from synthgen.images.preparation import Preparation
from synthgen.plan.describe import describe, model_notes
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.regions.foreground import ForegroundRule
from synthgen.sources.records import NormalImage, RejectedFile

RECIPE = """\
name: bottle-mixed
seed: 7
count: 10001
source: {kind: folder, path: x}
normal_share: 0.1
synthesizers:
  - {method: cutpaste, weight: 2}
  - {method: smoothblend, weight: 1}
  - {method: scar, weight: 0.2}
  - {method: nsa, weight: 0}
output: {shard_size: 1000}
"""


def plan(rejected: int = 0, **change: str) -> Plan:
    images = [
        NormalImage(
            path=f"{number}.png",
            sha256=f"{number:064}",
            category="nut" if number < 7 else "rug",
            split="held-out" if number % 5 == 0 else "train",
        )
        for number in range(10)
    ]
    return Plan(
        recipe=parse_model(RECIPE, "x", Recipe, [f"{name}={value}" for name, value in change.items()]),
        preparation=Preparation(size=(256, 320), resize="whole", channels=3),
        images=images,
        rejected=[RejectedFile(path=f"bad{number}.png", reason="truncated") for number in range(rejected)],
        foreground={
            "nut": ForegroundRule(product_type="object", reason="object: dark on bright"),
            "rug": ForegroundRule(product_type="texture"),
        },
        textures={},
        fingerprint="ab" * 32,
    )


def test_every_subject_is_told() -> None:
    assert describe(plan(rejected=1), 123_456.0).splitlines() == [
        "recipe       bottle-mixed, seed 7, fingerprint abababababab",
        "images       10 normal: 8 for training, 2 held out; those for training are used",
        "rejected     bad0.png: truncated",
        "size         320 x 256 (width x height), colour, whole",
        "categories   nut: 7",
        "             rug: 3",
        "foreground   nut: object: dark on bright",
        "             rug: texture",
        "synthesizers  62.5% cutpaste",
        "              31.2% smoothblend",
        "               6.2% scar",
        "               0.0% nsa",
        "samples      10001: about 9001 anomalous and 1000 normal",
        "shards       11 of at most 1000 samples",
        "bytes        about 1.23 GB: 123 kB a sample as png",
    ]


def test_what_changes_with_the_plan() -> None:
    assert "rejected     none\n" in describe(plan(), 1)
    lines = describe(plan(rejected=12), 1).splitlines()
    assert lines[2:13] == [
        *(f"{'rejected' if n == 0 else '':<13}bad{n}.png: truncated" for n in range(10)),
        f"{'':<13}and 2 more",
    ]
    assert "2 held out; all are used" in describe(plan(split="all"), 1)
    assert "2 held out; the held-out ones are used" in describe(plan(split="held-out"), 1)
    assert "shards       1 of" in describe(plan(count="1000"), 1)
    assert "shards       2 of" in describe(plan(count="1001"), 1)


def test_the_range_of_16_bits_is_told_where_there_is_one() -> None:
    depth = DepthRange(range=(100, 3000), images=1, clipped=0, darkest=100, brightest=3000)
    lines = describe(plan().model_copy(update={"depth": depth}), 1).splitlines()
    assert lines[4] == "16 bits      100 … 3000 becomes 0 … 255 in 1 image"
    depth = DepthRange(range=(100, 3000), images=9, clipped=2, darkest=64, brightest=65535)
    lines = describe(plan().model_copy(update={"depth": depth}), 1).splitlines()
    assert lines[4] == (
        "16 bits      100 … 3000 becomes 0 … 255 in 9 images; values beyond are clipped, in 2 of them (the "
        "extremes are 64 and 65535)"
    )


def test_defects_that_would_vanish_are_told_with_what_to_do() -> None:
    assert "detectors" not in describe(plan(), 1, 22, 0)
    assert describe(plan(), 1, 22, 9).splitlines()[-1] == (
        "detectors    41% of the defects (9 of 22 made) would vanish at 256 x 256, the detectors' default "
        "image_size: they fill half of no pixel there; use resize: tile with size: [256, 256], or detectors "
        "with a larger image_size"
    )
    tiles = plan().model_copy(update={"preparation": Preparation(size=(900, 900), resize="tile", channels=3)})
    assert "; use smaller tiles with size: [256, 256]" in describe(tiles, 1, 22, 9)


def test_bytes_have_readable_prefixes() -> None:
    ends = {0.4: "0.4 B", 999: "999 B", 999.7: "1 kB", 1234: "1.23 kB", 56_789: "56.8 kB", 4.2e6: "4.2 MB"}
    for count, text in ends.items():
        assert describe(plan(), count).endswith(f": {text} a sample as png")
    assert "about 1e+09 TB" not in describe(plan(count="1000000000"), 1e6)
    assert "about 1e+03 TB" in describe(plan(count="1000000000"), 1e6)


def trained(**training: object) -> PinnedModel:
    """The built-in model, had its training been another one."""
    facts = pin("builtin").facts
    return PinnedModel(
        sha256="0" * 64, facts=facts.model_copy(update={"training": {**facts.training, **training}})
    )


def test_a_model_that_was_trained_too_little_is_told_once() -> None:
    models = {"short": trained(updates=40), "builtin": pin("builtin")}
    lines = describe(plan().model_copy(update={"models": models}), 1.0).splitlines()
    assert [line for line in lines if "updates" in line] == [
        "note         model short is trained for only 40 updates of 16 images, so expect noise: 1,000 "
        "updates of 16 are the least, 5,000 the default; go on by the same `synthgen sdas train` with more "
        "--steps"
    ]


def test_models_that_were_trained_enough_need_no_note() -> None:
    enough = (
        trained(updates=1000),
        trained(updates=1000, batch=4, accumulate=2, processes=2),
        trained(updates=40, first_weights="sha256 0123"),
        pin("builtin").model_copy(update={"facts": pin("builtin").facts.model_copy(update={"training": {}})}),
    )
    for model in enough:
        assert model_notes(plan().model_copy(update={"models": {"m": model}})) == []


def test_neither_large_batches_nor_many_small_ones_make_up_for_it() -> None:
    for short in (trained(updates=999, batch=4096), trained(updates=15_999, batch=1)):
        assert len(model_notes(plan().model_copy(update={"models": {"m": short}}))) == 1

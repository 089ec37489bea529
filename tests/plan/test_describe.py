"""What ``check`` says of a plan, line by line."""

from synthgen.config.reader import parse_model
from synthgen.images.preparation import Preparation
from synthgen.plan.describe import describe
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

"""The dataset card, the manifest and timm's shard list, read as their readers read them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from synthgen.config.reader import parse_model
from synthgen.recipe.judge import AbnormalRule
from synthgen.recipe.recipe import Recipe
from synthgen.sample import Facts
from synthgen.shards.card import manifest, timm_info, write_card
from synthgen.shards.mark import Mark
from synthgen.shards.reader import open_directory, read_marks, read_plan
from synthgen.shards.statistics import ShardStatistics
from tests.shards.helpers import make_directory


@pytest.fixture(scope="module")
def marks(shard_directory: Path) -> list[Mark]:
    return read_marks(open_directory(shard_directory))


@pytest.fixture(scope="module")
def card(shard_directory: Path, marks: list[Mark]) -> str:
    return write_card(marks, read_plan(open_directory(shard_directory)))


def blocks(card: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", card, flags=re.DOTALL)


def run(code: str, directory: Path) -> list[str]:
    """Run a reader from the card as a script beside the shards; returns the lines that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_card_in_the_directory_is_this_card(shard_directory: Path, card: str) -> None:
    assert (shard_directory / "README.md").read_text() == card


def test_the_front_matter_is_what_the_hub_reads(card: str) -> None:
    from huggingface_hub import DatasetCard

    front = DatasetCard(card).data.to_dict()
    assert front["license"] == "other"
    assert front["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "*.tar"}]}
    ]
    assert front["size_categories"] == ["n<1K"]
    assert set(front["task_categories"]) == {"image-segmentation", "image-classification"}
    assert yaml.safe_load(card.split("---")[1]) == front


@pytest.mark.parametrize(
    ("samples", "name"),
    [
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (360_000, "100K<n<1M"),
        (10**9 - 1, "100M<n<1B"),
    ],
)
def test_the_size_category_follows_the_count(
    shard_directory: Path, marks: list[Mark], samples: int, name: str
) -> None:
    statistics = marks[0].statistics.model_copy(update={"outcomes": {"anomalous": samples}})
    card = write_card(
        [marks[0].model_copy(update={"statistics": statistics})], read_plan(open_directory(shard_directory))
    )
    assert f"- {name}\n" in card


def test_tables_hold_the_counts_of_all_shards(card: str, marks: list[Mark]) -> None:
    for kind in ("outcomes", "methods", "categories"):
        names = {name for mark in marks for name in getattr(mark.statistics, kind)}
        for name in names:
            count = sum(getattr(mark.statistics, kind).get(name, 0) for mark in marks)
            assert f"| {name} | {count} | {count / 20:.1%} |" in card


def test_rejected_samples_are_explained(shard_directory: Path, marks: list[Mark], card: str) -> None:
    assert "Reason of the last attempt" not in card
    statistics = marks[0].statistics.model_copy(
        update={"outcomes": {"rejected": 3}, "rejected": {"nsa": {"empty mask": 3}}}
    )
    rejected = write_card(
        [marks[0].model_copy(update={"statistics": statistics})], read_plan(open_directory(shard_directory))
    )
    assert "| nsa | empty mask | 3 |" in rejected


def explained(card: str) -> tuple[str, list[str]]:
    """The card's part on the facts, and the fields that it names."""
    schema = card.split("## Facts")[1].split("\n## ", maxsplit=1)[0]
    return schema, re.findall(r"^\| `(\w+)` \|", schema, flags=re.MULTILINE)


def test_the_place_of_tiles_is_explained_where_there_are_tiles(
    shard_directory: Path, marks: list[Mark]
) -> None:
    plan = read_plan(open_directory(shard_directory))
    tiles = plan.preparation.model_copy(update={"resize": "tile"})
    schema, names = explained(write_card(marks, plan.model_copy(update={"preparation": tiles})))
    assert names == [name for name in Facts.model_fields if name != "abnormality"]
    assert "| `tile` | object: `top`, `left` | Top and left, in the normal image as decoded, of" in schema


def test_abnormality_is_explained_where_it_is_judged(shard_directory: Path, marks: list[Mark]) -> None:
    plan = read_plan(open_directory(shard_directory))
    judge = plan.recipe.judge.model_copy(update={"abnormal": AbnormalRule(min_share=0.4)})
    recipe = plan.recipe.model_copy(update={"judge": judge})
    statistics = ShardStatistics(looked_at={"nsa": 8, "scar": 10}, looked_normal={"nsa": 6})
    mark = marks[0].model_copy(update={"statistics": statistics})
    card = write_card([mark], plan.model_copy(update={"recipe": recipe}))
    assert "| `abnormality` | object: `share`, `excess`, `abnormal`, `looked_normal` |" in card
    assert "- At least 40% of every mask lies in cells" in card
    assert card.index("nsa: 75% of its defects look like good") < card.index("scar: 0% of its defects")


def test_every_fact_is_explained(card: str) -> None:
    schema, names = explained(card)
    assert names == [name for name in Facts.model_fields if name not in ("tile", "abnormality")]
    assert "| `box` | list of integers |" in schema
    assert "| `split` | string: `train`, `held-out` |" in schema
    assert "| `area` | number | Share of the image that the mask covers, 0–1. |" in schema


def test_the_recipe_in_the_card_is_the_recipe(shard_directory: Path, card: str) -> None:
    plan = read_plan(open_directory(shard_directory))
    [text] = blocks(card, "yaml")
    assert parse_model(text, "card", Recipe) == plan.recipe
    assert plan.fingerprint in card


def test_all_readers_of_the_card_run(shard_directory: Path, card: str) -> None:
    by_webdataset, by_torch, by_tarfile = (run(code, shard_directory) for code in blocks(card, "python"))
    assert len(by_webdataset) == 20
    assert by_webdataset[:8] == by_tarfile
    assert by_torch == ["torch.Size([20, 3, 64, 64]) torch.Size([20, 1, 64, 64]) tensor(10)"]


@pytest.mark.parametrize("image_format", ["jpg", "webp"])
def test_the_readers_suit_the_format(tmp_path: Path, normals: Path, image_format: str) -> None:
    out = make_directory(tmp_path / "out", normals, count=5, image_format=image_format)
    card = (out / "README.md").read_text()
    assert ("JPEG" in card) == (image_format == "jpg")
    by_webdataset, _, by_tarfile = blocks(card, "python")
    assert run(by_webdataset, out) == run(by_tarfile, out)
    assert len(run(by_tarfile, out)) == 5


def test_the_manifest_sums_up_the_marks(shard_directory: Path, marks: list[Mark]) -> None:
    found = manifest(marks, read_plan(open_directory(shard_directory)))
    assert json.loads((shard_directory / "manifest.json").read_text()) == found
    assert (found["count"], found["bytes"]) == (20, sum(mark.bytes for mark in marks))
    assert [(each["shard"], each["sha256"]) for each in found["shards"]] == [
        (mark.shard, mark.sha256) for mark in marks
    ]
    assert found["statistics"]["outcomes"] == {"anomalous": 10, "normal": 10}
    assert found["fingerprint"] == marks[0].fingerprint


def test_the_shard_list_has_what_timm_looks_up(shard_directory: Path, marks: list[Mark]) -> None:
    """The keys that timm 1.x reads in ``reader_wds._parse_split_info``."""
    info = timm_info(marks)
    assert json.loads((shard_directory / "_info.json").read_text()) == info
    split = info["splits"]["train"]
    assert split["name"] == "train"
    assert split["num_samples"] == 20
    assert dict(zip(split["filenames"], split["shard_lengths"], strict=True)) == {
        "000000.tar": 8,
        "000001.tar": 8,
        "000002.tar": 4,
    }

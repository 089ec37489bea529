"""What pre-training does to features: base methods alone and with SPD's term, from equal first weights.

`python -m tests.studies.pretraining GOOD REAL OUT` pre-trains every cell that is not in OUT yet, measures
where its network looks at pairs of held-out good products (SmoothBlend), and what PaDiM and PatchCore (1 %)
reach with it on the real defects of REAL, and prints the tables. A killed study goes on. Each base is trained
alone for as many updates as with the term, and alone for as many pictures.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, get_args

import numpy as np

from synthgen.detectors.choice import DetectorChoice
from synthgen.evaluation.attention import PAIRS, attention_of, cluster_weights
from synthgen.evaluation.evaluate import evaluate
from synthgen.pretraining.pretrain import pretrain
from synthgen.pretraining.settings import Base, PretrainingSettings
from synthgen.pretraining.trainer import BASE_VIEWS, TERM_VIEWS
from synthgen.runtime.progress import silent
from synthgen.storage.whole_file import write_whole

RECIPE = "smoothblend"
DETECTORS: dict[str, dict[str, Any]] = {"padim": {}, "patchcore": {"coreset": 0.01}}


@dataclass(frozen=True)
class Cell:
    """One set of weights."""

    name: str
    settings: PretrainingSettings | None
    """None for weights that are there."""

    @property
    def key(self) -> str:
        """A file's name."""
        seed = f".{self.settings.seed}" if self.settings else ""
        return f"{self.name.replace(' ', '_').replace('+', 'and')}{seed}"


def cells(options: argparse.Namespace) -> Iterator[Cell]:
    """All cells, those of the first seed first."""
    yield Cell("imagenet", None)
    yield Cell("random", None)
    common = {"backbone": options.backbone, "batch": options.batch, "init": options.init}
    as_many = options.steps * (BASE_VIEWS + TERM_VIEWS) // BASE_VIEWS
    for seed in range(options.seeds):
        for base in options.bases:
            arms = {
                base: {"spd": "none", "steps": options.steps},
                f"{base} + SPD": {"spd": options.spd, "steps": options.steps},
                f"{base}, as many pictures": {"spd": "none", "steps": as_many},
            }
            for name, own in arms.items():
                yield Cell(
                    name, PretrainingSettings.model_validate({**common, **own, "base": base, "seed": seed})
                )


def measured(cell: Cell, options: argparse.Namespace) -> dict[str, Any]:
    """The numbers of a cell, made where they are not there yet."""
    file = options.out / f"{cell.key}.json"
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    weights = cell.name
    begun = monotonic()
    if cell.settings:
        weights = str(options.out / f"{cell.key}.safetensors")
        pretrain(options.good, weights, cell.settings, recipe=RECIPE, device="cpu")
    trained = monotonic() - begun
    looked = attention_of(
        weights, RECIPE, source=options.good, backbone=options.backbone, pairs=PAIRS, device="cpu"
    )
    row = {"name": cell.name, "seconds": trained, "attention": looked.as_json(), "detectors": {}}
    for method, settings in DETECTORS.items():
        choice = DetectorChoice(method, settings, options.backbone, weights, "cpu")
        (category,) = evaluate(choice, options.real, seeds=1, progress=silent).categories
        run = category.runs[0]
        row["detectors"][method] = {
            "image_auroc": run.image["auroc"].value if run.image else None,
            "pixel_auroc": _value(run.pixel, "auroc"),
            "pixel_ap": _value(run.pixel, "average_precision"),
        }
    write_whole(file, json.dumps(row).encode())
    return row


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: of each kind of weights the mean over seeds."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    maps = list(rows[0]["attention"]["maps"])
    heads = [*(f"{each}, times area" for each in maps), "PaDiM", "PatchCore", "seconds"]
    lines = [f"| weights | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for name in names:
        own = [row for row in rows if row["name"] == name]
        found = [
            _over([row["attention"]["maps"][each]["times_area"]["value"] for row in own]) for each in maps
        ]
        for method in DETECTORS:
            image, pixel = (
                _over([row["detectors"][method][metric] for row in own], 3)
                for metric in ("image_auroc", "pixel_ap")
            )
            found.append(f"{image} / {pixel}")
        lines.append(f"| {name} | {' | '.join(found)} | {np.mean([row['seconds'] for row in own]):.0f} |")
    return "\n".join(lines)


def compared(rows: Sequence[dict[str, Any]], bases: Sequence[str]) -> str:
    """By base and map, the share inside with the term less that without, paired and clustered."""
    lines = ["| base | map | SPD − base | SPD − base of as many pictures |", "|---|---|---|---|"]
    for base in bases:
        for each in rows[0]["attention"]["maps"]:
            with_term = _shares(rows, f"{base} + SPD", each)
            told = [
                _difference(rows, with_term - _shares(rows, other, each))
                for other in (base, f"{base}, as many pictures")
            ]
            lines.append(f"| {base} | {each} | {' | '.join(told)} |")
    return "\n".join(lines)


def _shares(rows: Sequence[dict[str, Any]], name: str, of_map: str) -> Any:
    own = [row["attention"]["of_pairs"][of_map] for row in rows if row["name"] == name]
    return np.mean(own, axis=0)


def _difference(rows: Sequence[dict[str, Any]], of_pairs: Any) -> str:
    drawn = cluster_weights(rows[0]["attention"]["of_pairs"]["source"])
    low, high = np.quantile((drawn @ of_pairs) / drawn.sum(1), [0.025, 0.975])
    return f"{of_pairs.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def _over(values: Sequence[float], digits: int = 2) -> str:
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def _value(levels: Any, metric: str) -> float | None:
    estimate = levels and levels[metric]
    return estimate.value if estimate else None


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("good")
    parser.add_argument("real")
    parser.add_argument("out", type=Path)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--init", default="imagenet")
    parser.add_argument("--spd", default="contrast")
    parser.add_argument("--bases", nargs="+", default=list(get_args(Base)))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for cell in cells(options):
        rows.append(measured(cell, options))
        print(cell.key, f"{rows[-1]['seconds']:.0f} s", flush=True)
    print(f"\n{table(rows)}\n\n{compared(rows, options.bases)}")


if __name__ == "__main__":
    main()

"""What describes a finished directory: manifest, timm's shard list, and the dataset card."""

import inspect
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from synthgen.images.preparation import Tile
from synthgen.plan.plan import Plan
from synthgen.recipe.files import dump_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.sample import FORMAT_VERSION, AbnormalityFacts, Facts
from synthgen.shards.mark import Mark
from synthgen.shards.reader_code import reader_code
from synthgen.shards.statistics import ShardStatistics, look_normal_sentences, merge

MANIFEST, TIMM_INFO, README, RECIPE = "manifest.json", "_info.json", "README.md", "recipe.yaml"
"""What a run writes beside the shards and the plan."""
SIZE_NAMES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")
"""The hub's names of the powers of ten from a thousand on."""
TYPE_NAMES = {"int": "integer", "float": "number", "str": "string", "bool": "true or false"}


def manifest(marks: list[Mark], plan: Plan) -> dict[str, Any]:
    """All shards with their sums, and the statistics of the whole, as plain JSON values."""
    return {
        "format_version": FORMAT_VERSION,
        "name": plan.recipe.name,
        "fingerprint": plan.fingerprint,
        "count": sum(mark.count for mark in marks),
        "bytes": sum(mark.bytes for mark in marks),
        "extensions": marks[0].extensions,
        "statistics": merge(mark.statistics for mark in marks).model_dump(mode="json"),
        "shards": [
            mark.model_dump(mode="json", include={"shard", "sha256", "bytes", "first_index", "count"})
            for mark in marks
        ],
    }


def timm_info(marks: list[Mark]) -> dict[str, Any]:
    """``_info.json`` as timm's reader for WebDataset shards expects it: one split, ``train``."""
    return {
        "splits": {
            "train": {
                "name": "train",
                "num_samples": sum(mark.count for mark in marks),
                "filenames": [mark.shard for mark in marks],
                "shard_lengths": [mark.count for mark in marks],
            }
        }
    }


def write_card(marks: list[Mark], plan: Plan) -> str:
    """The dataset card (README.md): front matter of the Hugging Face hub, then text for people."""
    statistics = merge(mark.statistics for mark in marks)
    parts = [
        _front_matter(statistics.samples, plan),
        _summary(statistics, marks, plan),
        _counts(statistics),
        "## Reading it\n\n" + reader_code(marks, plan),
        _members(plan),
        _schema(plan),
        _guarantees(plan),
        _origin(plan),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def write_plan_card(plan: Plan) -> str:
    """What the samples of a plan are, for people; their shards need not exist."""
    used = [image for image in plan.images if plan.recipe.split in ("all", image.split)]
    intro = (
        f"# {plan.recipe.name}\n\n{plan.recipe.count:,} samples, made from {len(used):,} normal images, with "
        f"the fingerprint `{plan.fingerprint}`."
    )
    parts = [intro, _members(plan), _schema(plan), _guarantees(plan)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _front_matter(samples: int, plan: Plan) -> str:
    import yaml

    front = {
        "pretty_name": plan.recipe.name,
        "license": "other",
        "license_name": "same-as-the-source-images",
        "task_categories": ["image-segmentation", "image-classification"],
        "size_categories": [_size_class(samples)],
        "tags": ["synthetic", "anomaly-detection", "anomaly-segmentation", "webdataset", "synthgen"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "*.tar"}]}],
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---"


def _size_class(samples: int) -> str:
    """The hub's name for a number of samples: ``n<1K``, ``1K<n<10K``, …"""
    below = ""
    for power, name in enumerate(SIZE_NAMES, start=3):
        if samples < 10**power:
            break
        below = f"{name}<"
    return f"{below}n<{name}"


def _summary(statistics: ShardStatistics, marks: list[Mark], plan: Plan) -> str:
    height, width = plan.preparation.size
    colour = "grey" if plan.preparation.channels == 1 else "RGB"
    size = sum(mark.bytes for mark in marks)
    shards = f"{len(marks)} shard" + ("s" if len(marks) > 1 else "")
    return f"""
# {plan.recipe.name}

{statistics.samples:,} images of {width} x {height} pixels ({colour}) with synthetic anomalies and pixel-exact
masks: {statistics.anomalous:,} anomalous, {statistics.samples - statistics.anomalous:,} normal.
They lie in {shards} of WebDataset tar, {size / 1e6:,.1f} MB. synthgen made every anomaly on a picture
of a good product and recorded how. On average an anomaly covers {statistics.mean_area:.2%} of the image
and changes it by {statistics.mean_contrast:.1f} grey levels.
"""


def _counts(statistics: ShardStatistics) -> str:
    tables = (
        ("Outcome", statistics.outcomes),
        ("Method", statistics.methods),
        ("Category", statistics.categories),
    )
    parts = ["## Samples"]
    for title, counts in tables:
        rows = [
            (name, f"{count:,}", f"{count / max(statistics.samples, 1):.1%}")
            for name, count in counts.items()
        ]
        parts.append(_table((title, "Samples", "Share"), rows))
    if statistics.outcomes.get("rejected"):
        rows = [
            (method, reason, f"{count:,}")
            for method, reasons in statistics.rejected.items()
            for reason, count in reasons.items()
        ]
        parts.append("Rejected samples are normal images: no attempt at a defect passed the judge.")
        parts.append(_table(("Method", "Reason of the last attempt", "Samples"), rows))
    if sentences := look_normal_sentences(statistics):
        parts.append("Of the defects that were made, before any was drawn again:")
        parts.append("\n".join(f"- {sentence}." for sentence in sentences))
    return "\n\n".join(parts)


def _members(plan: Plan) -> str:
    output = plan.recipe.output
    quality = f", quality {output.quality}" if output.image_format == "jpg" else ", lossless"
    rows = [
        (f"`KEY.{output.image_format}`", f"the image{quality}"),
        ("`KEY.mask.png`", "the mask: 8-bit grey, 255 where the image is anomalous, else 0"),
        ("`KEY.cls`", "1 anomalous, 0 normal"),
        ("`KEY.json`", "the facts"),
    ]
    if output.keep_normal:
        rows.append(("`KEY.normal.png`", "the normal image that the sample was made from"))
    return "## Members of a sample\n\n" + _table(("Member", "What"), rows)


def _schema(plan: Plan) -> str:
    rows = [
        (
            f"`{name}`",
            _type_name(field.annotation),
            " ".join((field.description or "").split()).replace("``", "`"),
        )
        for name, field in Facts.model_fields.items()
        if (name != "tile" or plan.preparation.resize == "tile")
        and (name != "abnormality" or plan.recipe.judge.abnormal)
    ]
    intro = "Every sample has every field, none is ever null, and each has one JSON type."
    general = inspect.cleandoc(Facts.__doc__ or "").partition("\n\n")[2].replace("\n", " ").replace("``", "`")
    return f"## Facts\n\n{intro} {general}\n\n{_table(('Field', 'Type', 'Meaning'), rows)}"


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "string: " + ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is list:
        return f"list of {_type_name(get_args(annotation)[0])}s"
    for model in (Tile, AbnormalityFacts):
        if annotation == model | None:
            return "object: " + ", ".join(f"`{name}`" for name in model.model_fields)
    return TYPE_NAMES[annotation.__name__]


def _guarantees(plan: Plan) -> str:
    recipe = plan.recipe
    if recipe.output.image_format == "jpg":
        outside = (
            "- Before JPEG encoding, every pixel outside the mask equalled the normal image exactly; "
            "the encoding itself changes all pixels a little."
        )
    else:
        outside = "- Outside the mask, every pixel of a paired sample equals its normal image exactly."
    least = recipe.judge.min_contrast
    visible = (
        f"- Inside the mask, the largest channel change averages {least:g} grey levels or more."
        if least
        else "- The visibility check was switched off (`min_contrast: 0`): a change may be too weak to see."
    )
    return f"""
## Guarantees

- An anomalous sample never has an empty mask, and a normal one never has anything else.
{outside}
{visible}{_abnormal(recipe)}
- The plan and the index alone decide a sample, and each can be rendered again from its facts.
- The shards' sha256 stand in `manifest.json`; `synthgen verify` checks all of this.

## Limits

- The anomalies are synthetic: judge a detector on real ones.
- The licence of the source images holds for these images too; synthgen adds no rights to them.
"""


def _abnormal(recipe: Recipe) -> str:
    rule = recipe.judge.abnormal
    if not rule or rule.otherwise == "report":
        return ""
    return (
        f"\n- At least {rule.min_share:.0%} of every mask lies in cells of 8 x 8 pixels that are farther "
        f"from good products, in the features of a pinned network, than {rule.quantile:.0%} of the cells of "
        "held-out good products; images without a mask have more such cells than good ones."
    )


def _origin(plan: Plan) -> str:
    used = [image for image in plan.images if plan.recipe.split in ("all", image.split)]
    return f"""
## How it was made

From {len(used):,} normal images, by the recipe below, frozen to the plan `plan.json` with the fingerprint
`{plan.fingerprint}`.

```yaml
{dump_recipe(plan.recipe).strip()}
```
"""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + " --- |" * len(head), *map(line, rows)])

"""What a plan would make, in words, before it is made."""

from collections import Counter
from math import ceil

from synthgen.config.document import one_line
from synthgen.config.listing import listed
from synthgen.detectors.image_size import IMAGE_SIZE
from synthgen.diffusion.updates import too_few_updates
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe


def describe(plan: Plan, bytes_per_sample: float, defects: int = 0, vanishing: int = 0) -> str:
    """The images, foreground, synthesizers, samples, shards and bytes of a plan, a subject a line.

    On a few rendered samples were measured: ``bytes_per_sample``, the mean encoded size, and how many of the
    ``defects`` are ``vanishing`` at the size at which detectors see the samples.
    """
    recipe = plan.recipe
    height, width = plan.preparation.size
    colour = "grey" if plan.preparation.channels == 1 else "colour"
    shards = ceil(recipe.count / recipe.output.shard_size)
    total = _bytes(recipe.count * bytes_per_sample)
    subjects = {
        "recipe": [f"{recipe.name}, seed {recipe.seed}, fingerprint {plan.fingerprint[:12]}"],
        "images": [_images(plan)],
        "rejected": _listed([one_line(f"{file.path}: {file.reason}") for file in plan.rejected]),
        "notes": plan.notes,
        "size": [f"{width} x {height} (width x height), {colour}, {plan.preparation.resize}"],
        "16 bits": [str(plan.depth)] if plan.depth else [],
        "categories": _listed(
            [f"{name}: {count}" for name, count in Counter(image.category for image in plan.images).items()]
        ),
        "foreground": [
            f"{category}: {rule.reason or rule.product_type}" for category, rule in plan.foreground.items()
        ],
        "abnormal": _abnormal(plan),
        "synthesizers": _shares(recipe),
        "note": model_notes(plan),
        "samples": [_samples(recipe)],
        "shards": [f"{shards} of at most {recipe.output.shard_size} samples"],
        "bytes": [f"about {total}: {_bytes(bytes_per_sample)} a sample as {recipe.output.image_format}"],
        "detectors": _vanishing(plan, defects, vanishing),
    }
    return "\n".join(
        f"{name if position == 0 else '':<13}{line}"
        for name, lines in subjects.items()
        for position, line in enumerate(lines)
    )


def model_notes(plan: Plan) -> list[str]:
    """What to know of the plan's diffusion models before they are used, a sentence each."""
    few = {name: too_few_updates(model.facts.training) for name, model in plan.models.items()}
    return [f"model {name} is {what}" for name, what in few.items() if what]


def _images(plan: Plan) -> str:
    train = sum(image.split == "train" for image in plan.images)
    held_out = len(plan.images) - train
    used = {"train": "those for training", "held-out": "the held-out ones", "all": "all"}[plan.recipe.split]
    return f"{len(plan.images)} normal: {train} for training, {held_out} held out; {used} are used"


def _shares(recipe: Recipe) -> list[str]:
    total = sum(synthesizer.weight for synthesizer in recipe.synthesizers)
    return [f"{each.weight / total:6.1%} {each.method}" for each in recipe.synthesizers]


def _abnormal(plan: Plan) -> list[str]:
    rule = plan.recipe.judge.abnormal
    if rule is None:
        return []
    return [
        f"{category}: at least {rule.min_share:.0%} of a mask differs more from {memory.images} good images "
        f"than {rule.quantile:.0%} of {memory.threshold.images} held-out ones do; otherwise {rule.otherwise}"
        for category, memory in plan.normality.items()
    ]


def _samples(recipe: Recipe) -> str:
    normal = round(recipe.count * recipe.normal_share)
    return f"{recipe.count}: about {recipe.count - normal} anomalous and {normal} normal"


def _vanishing(plan: Plan, defects: int, vanishing: int) -> list[str]:
    if not vanishing:
        return []
    smaller = "smaller tiles" if plan.preparation.resize == "tile" else "resize: tile"
    size = f"{IMAGE_SIZE} x {IMAGE_SIZE}"
    return [
        f"{vanishing / defects:.0%} of the defects ({vanishing} of {defects} made) would vanish at {size}, "
        f"the detectors' default image_size: they fill half of no pixel there; use {smaller} with size: "
        f"[{IMAGE_SIZE}, {IMAGE_SIZE}], or detectors with a larger image_size"
    ]


def _listed(lines: list[str]) -> list[str]:
    return listed(lines) or ["none"]


def _bytes(count: float) -> str:
    """A number of bytes with a decimal prefix."""
    prefixes = iter(("", "k", "M", "G", "T"))
    prefix = next(prefixes)
    while count >= 999.5 and prefix != "T":
        count, prefix = count / 1000, next(prefixes)
    return f"{count:.3g} {prefix}B"

"""Sheets of samples to look at: the preview of a recipe, and the contact sheet of a run."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from synthgen.errors import InputError, RunError
from synthgen.figures import tiles
from synthgen.figures.sheet import Group, Note, Style, paint
from synthgen.images.own import drawn
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Stages, silent
from synthgen.sample import Facts, Sample
from synthgen.storage.place import local_path
from synthgen.storage.whole_file import writing_whole

PREVIEW_LIMIT = 100
CONTACT_LIMIT = 48
CONTACT_MOST = 1000
"""Samples out of which those of a contact sheet are chosen."""

PREVIEW = Style(tile=256, gap=12, group_gap=64, row_gap=44, caption=25, detail=20)
CONTACT = Style(tile=192, gap=0, group_gap=24, row_gap=28, caption=19, detail=17)
HEADINGS = ("normal", "anomalous", "mask outline", "change")


def preview(
    recipe: Recipe | Plan,
    count: int = 15,
    out: str | Path | None = None,
    *,
    contact: bool = False,
    progress: Stages = silent,
) -> Image.Image:
    """Draw the first samples of a recipe or a plan: a sheet of them, or, where ``contact``, a dense one.

    The sheet is written to the PNG ``out``, if one is given. Raises InputError where the images or ``out``
    cannot be used, or ``count`` is too large to look at.
    """
    most = CONTACT_MOST if contact else PREVIEW_LIMIT
    if not 1 <= count <= most:
        raise InputError(f"{count} samples: 1 to {most} are looked at")
    plan = freeze(recipe, progress) if isinstance(recipe, Recipe) else recipe
    samples = list(Pipeline(plan).samples(range(min(count, plan.recipe.count))))
    drawn = (contact_sheet if contact else sheet)(samples, plan.recipe.name)
    if out is not None:
        save(drawn, local_path(out))
    return drawn


def sheet(samples: Sequence[Sample], title: str, columns: int | None = None) -> Image.Image:
    """Each sample as four tiles (normal, anomalous, mask outline, change) with its facts below.

    ``columns`` is the number of samples beside each other; None chooses it for a sheet of about 16:10.
    Raises InputError for no samples, too many, or columns that they cannot fill.
    """
    if not 1 <= len(samples) <= PREVIEW_LIMIT:
        raise InputError(
            f"a preview shows 1 to {PREVIEW_LIMIT} samples, not {len(samples)}; ask for such a number."
        )
    if columns is not None and not 1 <= columns <= len(samples):
        raise InputError(
            f"a preview of {len(samples)} samples has 1 to {len(samples)} columns, not {columns}."
        )
    groups = [_preview_group(sample) for sample in _most_abnormal_first(samples)]
    return paint(groups, title, _summary(samples), PREVIEW, headings=HEADINGS, columns=columns)


def _most_abnormal_first(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples, the most abnormal first, where they were compared with good products."""

    def abnormality(sample: Sample) -> tuple[float, float]:
        found = sample.facts.abnormality
        return (-found.share, -found.excess) if found and sample.facts.label else (1.0, 0.0)

    return sorted(samples, key=abnormality)


def contact_sheet(samples: Sequence[Sample], title: str) -> Image.Image:
    """At most 48 of the samples, spread evenly over the methods and sorted by them, as outlined anomalies.

    Raises InputError for no samples.
    """
    if not samples:
        raise InputError("a contact sheet needs at least one sample, and there is none.")
    chosen = spread(samples, CONTACT_LIMIT)
    shown = f"{len(chosen)} shown of {_summary(samples)}" if len(chosen) < len(samples) else _summary(samples)
    return paint([_contact_group(sample) for sample in chosen], title, shown, CONTACT)


def spread(samples: Sequence[Sample], limit: int) -> list[Sample]:
    """At most ``limit`` samples, equally many of each method where there are enough, normal ones last."""
    by_method: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_method[sample.facts.method].append(sample)
    methods = sorted(by_method, key=lambda method: (method == "none", method))
    quotas = dict.fromkeys(methods, 0)
    left = min(limit, len(samples))
    while left:
        for method in methods:
            if left and quotas[method] < len(by_method[method]):
                quotas[method] += 1
                left -= 1
    return [
        by_method[method][position * len(by_method[method]) // quotas[method]]
        for method in methods
        for position in range(quotas[method])
    ]


def save(image: Image.Image, path: Path) -> None:
    """Write a PNG that is either whole or not there.

    Raises InputError where ``path`` is no place for a PNG, RunError where writing it fails half-way.
    """
    if path.suffix.lower() != ".png":
        raise InputError(
            f"{path}: a sheet is written as PNG, not as '{path.suffix}'; give a name that ends in .png."
        )
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; give the name of a PNG file in it.")
    if not path.parent.is_dir():
        raise InputError(
            f"{path}: the folder {path.parent} does not exist; make it, or choose another place."
        )
    begun = False
    try:
        with writing_whole(path) as file:
            begun = True
            file.write(drawn(image))
    except OSError as error:
        if not begun:
            raise InputError(
                f"{path}: the folder {path.parent} cannot be written to ({error.strerror}); "
                "change its permissions, or choose another place."
            ) from error
        raise RunError(
            f"{path}: the sheet could not be written ({error.strerror}); make room and try again."
        ) from error


def _preview_group(sample: Sample) -> Group:
    image = tiles.picture_tile(sample.image, PREVIEW.tile)
    outlined = tiles.outlined(image, tiles.mask_tile(sample.mask, PREVIEW.tile))
    if not sample.facts.paired:
        return Group((None, image, outlined, None), _preview_notes(sample.facts))
    normal = tiles.picture_tile(sample.normal, PREVIEW.tile)
    change = tiles.heat_tile(sample.normal, sample.image, PREVIEW.tile)
    return Group((normal, image, outlined, change), _preview_notes(sample.facts))


def _preview_notes(facts: Facts) -> tuple[Note, ...]:
    if facts.outcome == "normal":
        return Note(facts.key, ""), Note("normal", "left without a defect, as the recipe asks")
    key = Note(facts.key, f"attempts {facts.attempts}")
    if facts.outcome == "rejected":
        return key, Note(f"{facts.method}, rejected", f"left normal: {facts.reason}")
    beyond = f"beyond normal {facts.abnormality.share:.0%}" if facts.abnormality else ""
    change = Note(f"contrast {facts.contrast:.1f}", beyond or f"Lab {facts.contrast_lab:.1f}")
    return (
        key,
        Note(facts.method, _strength(facts)),
        Note(f"area {_percent(facts.area)}", f"{facts.area_pixels:,} px"),
        change if facts.paired else Note("not paired", beyond or "no normal image"),
    )


def _contact_group(sample: Sample) -> Group:
    tile = tiles.picture_tile(sample.image, CONTACT.tile)
    outlined = tiles.outlined(tile, tiles.mask_tile(sample.mask, CONTACT.tile))
    facts = sample.facts
    if facts.outcome == "normal":
        return Group((outlined,), (Note("normal", "no defect"),))
    detail = _strength(facts) if facts.outcome == "anomalous" else "rejected"
    if facts.abnormality and facts.label:
        detail = f"beyond {facts.abnormality.share:.0%}"
    return Group((outlined,), (Note(facts.method, detail),))


def _summary(samples: Sequence[Sample]) -> str:
    outcomes = Counter(sample.facts.outcome for sample in samples)
    shapes = {sample.mask.shape for sample in samples}
    parts = [f"{len(samples)} samples" if len(samples) > 1 else "1 sample"]
    parts += [f"{outcomes[kind]} {kind}" for kind in ("anomalous", "normal", "rejected") if outcomes[kind]]
    if len(shapes) == 1:
        height, width = shapes.pop()
        parts.append(f"{width} x {height} px")
    return "  ·  ".join(parts)


def _strength(facts: Facts) -> str:
    return f"{facts.strength_name} {facts.strength:.2f}"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.1f} %" if percent >= 0.1 else f"{percent:.2g} %"

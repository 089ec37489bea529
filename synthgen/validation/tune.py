"""Tuning a recipe so that its defects are neither trivial nor invisible to a detector."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.detectors.choice import DetectorChoice
from synthgen.errors import InputError, RunError
from synthgen.evaluation.conformal import Threshold, conformal_threshold, promise_notes
from synthgen.pipeline.freeze import freeze
from synthgen.plan.plan import Plan
from synthgen.recipe.files import load_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.devices import chosen_device
from synthgen.runtime.extras import require_extra
from synthgen.runtime.progress import Stages, silent
from synthgen.sources.base import Source
from synthgen.sources.evenly import evenly
from synthgen.sources.named import named_source
from synthgen.storage.output import OutputDirectory, write_file
from synthgen.storage.place import is_url, local_path
from synthgen.validation.protocol import FALSE_ALARMS, HELD_OUT, LEAST_NORMALS, MOST_NORMALS
from synthgen.validation.tuned_field import Field, TunedField
from synthgen.validation.tuned_recipe import Tuned, curve_svg, recipe_text
from synthgen.validation.tuned_search import Trial, missed, nearest, search
from synthgen.validation.tuned_trials import BATCH, Normals, Trials

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector

ENDINGS = (".yaml", ".yml")


def tune(
    recipe: str | Path | Recipe,
    detectability: float,
    source: str | Path | Source | None = None,
    out: str | Path | None = None,
    *,
    field: Field = "strength",
    detector: str | DetectorChoice = "padim",
    progress: Stages = silent,
) -> Tuned:
    """Find the strength at which a detector finds the share ``detectability`` of a recipe's defects.

    The detector is fitted on three quarters of the normal images of ``source`` (without one: of the recipe's
    own), resized to its size. Its threshold, for 1 % false alarms or what so few images can promise, and the
    samples come of the others; every strength is tried on the same images with the same random numbers.
    ``field`` is what is moved: the strength (``delta``, or ``s`` of diffusion methods) or the ``area``, of
    all methods by one factor. ``out`` is where the recipe is written, as YAML, and beside it the curve, as
    SVG.

    Where no strength comes within ± 0.02 the nearest is taken, and a note says so. Raises InputError for what
    cannot be used, RunError where too few samples show a defect at any strength, and where writing fails.
    """
    require_extra("report", "tuning")
    require_extra("detectors", "tuning")
    if not 0 < detectability < 1:
        raise InputError(
            f"detectability {detectability:g}: the share of the defects that is to be found is expected, "
            "above 0 and below 1, such as 0.8"
        )
    if out is not None:
        require_place(str(out), None if isinstance(recipe, Recipe) else recipe)
    asked = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    if source is not None:
        found = source if isinstance(source, Source) else named_source(str(source))
        asked = asked.model_copy(update={"source": found})
    _require_masks(asked)
    moved = TunedField.of(asked, field)
    tuned = _tuned(
        moved, detectability, DetectorChoice(detector) if isinstance(detector, str) else detector, progress
    )
    if out is not None:
        _write(tuned, str(out))
    return tuned


def _tuned(moved: TunedField, target: float, choice: DetectorChoice, progress: Stages) -> Tuned:
    detector, device = _normals_alone(choice.make()), chosen_device(choice.device)
    plan, notes = _split(moved.recipe, detector.settings.image_size, progress)
    learning = Normals.of(plan, "train")
    with progress(f"fitting {detector.method}", "steps") as report:
        detector.fit(learning, None, moved.recipe.seed, report)
    threshold = _threshold(detector, Normals.of(plan, "held-out"), progress)
    trying = Trials(moved, plan, detector, threshold, target, device, progress)
    trials = search(trying.at, target, moved.factors)
    chosen = nearest(trials, target)
    if chosen is None:
        reason, _ = trying.reasons.most_common(1)[0]
        raise RunError(
            f"recipe {moved.recipe.name}: even at the most that there is ({moved.name} "
            f"{trials[-1].value:.3g}) more than 1 % of the samples show no defect ({reason}); look at "
            "`synthgen preview`"
        )
    notes += [*plan.notes, *detector.notes, *promise_notes(threshold, FALSE_ALARMS)]
    notes += _rejected_notes(trials, chosen, moved.name)
    return Tuned(
        recipe=moved.at(chosen.factor),
        target=target,
        name=moved.name,
        before=moved.value(1.0),
        chosen=chosen,
        curve=tuple(sorted((each for each in trials if each.usable), key=lambda each: each.value)),
        threshold=threshold,
        detector=_called(detector),
        product=plan.images[0].category,
        fitted_on=len(learning),
        rejected=plan.rejected,
        notes=[*notes, *filter(None, [missed(trials, chosen, target, moved.name)])],
    )


def require_place(out: str, recipe: str | Path | None) -> None:
    """See that a recipe can be written there, before time is spent on it; ``recipe`` is the one tuned.

    Raises InputError.
    """
    if is_url(out):
        raise InputError(f"{out}: is a URL; a tuned recipe is written to a file of this machine")
    place = local_path(out)
    if place.suffix.lower() not in ENDINGS:
        raise InputError(f"{out}: a recipe is written, and its file's name ends with .yaml; add the ending")
    if place.is_dir():
        raise InputError(f"{out}: is a directory; give the name of a file, such as {out}/tuned.yaml")
    if recipe is not None and place.resolve() == local_path(recipe).resolve():
        raise InputError(f"{out}: is the recipe itself, whose comments would be lost; choose another --out")
    OutputDirectory(str(place.resolve().parent)).create()


def _require_masks(recipe: Recipe) -> None:
    if unpaired := [each.method for each in recipe.synthesizers if not each.paired]:
        raise InputError(
            f"recipe {recipe.name}: {unpaired[0]} makes whole images without a mask, so there is no defect "
            "that could be made weaker; tune a recipe without it"
        )


def _normals_alone(detector: "Detector") -> "Detector":
    if detector.learns_from_anomalies:
        raise InputError(
            f"detector {detector.method}: learns from anomalies, and would be judged on those it knows; one "
            "that is fitted on normal images alone is expected, such as padim or patchcore"
        )
    return detector


def _split(recipe: Recipe, side: int, progress: Stages) -> tuple[Plan, list[str]]:
    """The plan for samples of held-out images at (side, side), and notes.

    Raises InputError as `freeze` does, for images of several products, and for too few.
    """
    source = recipe.source.model_copy(update={"held_out": HELD_OUT})
    changed = {
        "source": source,
        "size": (side, side),
        "resize": "whole",
        "split": "all",
        "spread": "images",
        "normal_share": 0.0,
    }
    plan = freeze(recipe.model_copy(update=changed), progress)
    if (different := len({image.sha256 for image in plan.images})) < LEAST_NORMALS:
        raise InputError(
            f"source {source.location or source.kind}: has {different} different normal images, and at least "
            f"{LEAST_NORMALS} are expected, so that some can be held out; add pictures of good products"
        )
    if len(plan.categories) > 1:
        raise InputError(
            f"the source has {len(plan.categories)} products ({', '.join(sorted(plan.categories))}), and a "
            "detector is fitted on one; give the source of one alone, or its category by --set "
            "source.categories=[NAME]"
        )
    notes = []
    if recipe.resize != "whole":
        notes.append(
            f"the recipe has resize: {recipe.resize}, and the detector saw whole images at {side} x {side}, "
            "on which defects are smaller"
        )
    if len(plan.images) > MOST_NORMALS:
        notes.append(f"{MOST_NORMALS} of {len(plan.images)} normal images were taken, evenly spread")
    judged = plan.recipe.model_copy(update={"split": "held-out"})
    return plan.model_copy(update={"recipe": judged, "images": evenly(plan.images, MOST_NORMALS)}), notes


def _threshold(detector: "Detector", held_out: Normals, progress: Stages) -> Threshold:
    scores: list[float] = []
    with progress("scoring held-out images", "images") as report:
        for batch in held_out.batches(BATCH):
            scores += detector.predict(batch)[0].tolist()
            report(len(scores), len(held_out))
    return conformal_threshold(scores, FALSE_ALARMS)


def _rejected_notes(trials: Sequence[Trial], chosen: Trial, name: str) -> list[str]:
    """What samples without a defect mean for the numbers, a sentence each."""
    notes = []
    if chosen.rejected:
        total = chosen.rejected + len(chosen.images)
        notes.append(f"{chosen.rejected} of {total} samples show no defect and do not count")
    if hidden := [each.value for each in trials if not each.usable]:
        notes.append(
            f"at {name} {max(hidden):.3g} more than 1 % of the samples show no defect that can be seen "
            "(min_contrast), so nothing weaker was taken"
        )
    return notes


def _called(detector: "Detector") -> str:
    return f"{detector.method} ({detector.backbone.name})" if detector.backbone else detector.method


def _write(tuned: Tuned, out: str) -> None:
    picture = local_path(out).with_suffix(".svg")
    write_file(str(picture), curve_svg(tuned))
    write_file(out, recipe_text(tuned, picture.name).encode())

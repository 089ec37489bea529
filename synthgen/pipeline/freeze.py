"""freeze(recipe) → plan: look at the world once, pin what was found, and record what cannot be used."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from synthgen.diffusion.model_files import PinnedModel, pin
from synthgen.errors import InputError
from synthgen.images.decode import decode
from synthgen.images.depth import DepthRange
from synthgen.images.encode import WEBP_SIDE
from synthgen.images.pixels import Pixels
from synthgen.images.preparation import Preparation
from synthgen.images.prepare import prepare
from synthgen.images.turned import turned_apart
from synthgen.pipeline.image_store import PlanLibrary
from synthgen.plan.image_order import by_category
from synthgen.plan.plan import Plan, fingerprint
from synthgen.recipe.recipe import Recipe
from synthgen.regions.foreground import ForegroundRule, MaskFolder, resolve
from synthgen.regions.foreground_decision import DECISION_IMAGES
from synthgen.regions.large_pictures import smaller_copy
from synthgen.regions.mask_folder import pair_masks, read_foreground
from synthgen.runtime.extras import require_extra
from synthgen.runtime.progress import Progress, Stages, silent
from synthgen.sources.base import Source
from synthgen.sources.records import NormalImage, PinnedFile, RejectedFile
from synthgen.sources.survey import Look, OnBadImage, look_at_all, survey
from synthgen.sources.textures import texture_source
from synthgen.storage.root import Root
from synthgen.synthesizers.ingredients import PinnedBank


@dataclass(frozen=True, slots=True)
class Ground:
    """What the normal images of a recipe are: the same whatever is made of them, and with whichever seed."""

    preparation: Preparation
    depth: DepthRange | None
    images: list[NormalImage]
    rejected: list[RejectedFile]
    notes: list[str]
    foreground: dict[str, ForegroundRule]


@dataclass(frozen=True, slots=True)
class Textures:
    """The pictures of a texture collection, and what became of its other files."""

    pinned: list[PinnedFile]
    rejected: list[RejectedFile]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What the methods of a recipe take besides normal images, by the names that the recipe gives."""

    textures: dict[str, Textures]
    models: dict[str, PinnedModel]
    banks: dict[str, PinnedBank]


class Pins:
    """Textures, models and banks, looked at when first asked for; for a process that freezes many recipes."""

    def __init__(self) -> None:
        self.textures = cache(_look_at_textures)
        self.model = cache(pin)
        self.bank = cache(_pin_bank)


def freeze(recipe: Recipe, progress: Stages = silent) -> Plan:
    """Pin everything that decides the samples of a recipe.

    Raises InputError where no image can be used,
    where the recipe says ``on_bad_image: fail`` and one cannot, or where sizes do not fit together.
    """
    return freeze_on(find_ground(recipe, progress), recipe, Pins(), progress)


def find_ground(recipe: Recipe, progress: Stages = silent) -> Ground:
    """Look at the normal images of a recipe. Raises InputError as `freeze` does."""
    for synthesizer in recipe.synthesizers:
        synthesizer.require_packages()
    with progress("looking at the images", "images") as report:
        found = survey(
            recipe.source,
            recipe.size,
            recipe.resize,
            recipe.on_bad_image,
            report,
            intensity_range=None if recipe.intensity_range == "auto" else recipe.intensity_range,
        )
    preparation, images = found.preparation, found.images
    if recipe.split != "all" and not any(image.split == recipe.split for image in images):
        raise InputError(
            f"the source has {len(images)} images and none of them is {recipe.split}; "
            "use split: all, or another source.held_out"
        )
    if isinstance(recipe.foreground, MaskFolder):
        images = _with_masks(recipe.foreground.masks, recipe.source, images, found.looks)
    with progress("finding the foreground", "rules") as report:
        foreground = {
            category: _decide(recipe, preparation, category, own, report)
            for category, own in by_category(images)
        }
    return Ground(preparation, found.depth, images, found.rejected, found.notes, foreground)


def ingredients(recipe: Recipe, pins: Pins) -> Ingredients:
    """Look at what a recipe's methods take besides normal images. Raises InputError as `freeze` does."""
    each = recipe.synthesizers
    collections = _names(synthesizer.collections() for synthesizer in each)
    return Ingredients(
        textures={name: pins.textures(name, recipe.on_bad_image) for name in collections},
        models={name: pins.model(name) for name in _names(synthesizer.models() for synthesizer in each)},
        banks={name: pins.bank(name) for name in _names(synthesizer.banks() for synthesizer in each)},
    )


def freeze_on(ground: Ground, recipe: Recipe, pins: Pins, progress: Stages = silent) -> Plan:
    """The plan of a recipe whose normal images were looked at. Raises InputError as `freeze` does."""
    taken = ingredients(recipe, pins)
    textures = taken.textures
    plan = Plan(
        recipe=recipe,
        preparation=ground.preparation,
        depth=ground.depth,
        images=ground.images,
        rejected=[*ground.rejected, *(file for each in textures.values() for file in each.rejected)],
        notes=[*ground.notes, *(note for each in textures.values() for note in each.notes)],
        foreground=ground.foreground,
        textures={name: each.pinned for name, each in textures.items()},
        models=taken.models,
        banks=taken.banks,
        fingerprint="0" * 64,
    )
    _require_encodable(plan)
    for synthesizer in recipe.synthesizers:
        synthesizer.check(plan)
    if recipe.judge.abnormal:
        plan = _with_normality(plan, progress)
    return plan.model_copy(update={"fingerprint": fingerprint(plan)})


def _with_normality(plan: Plan, progress: Stages) -> Plan:
    """Pin what good products look like. Raises InputError as `NormalMemories` does."""
    require_extra("detectors", "judge.abnormal")
    from synthgen.pipeline.normal_memory import NormalMemories, promise_notes

    pinned = NormalMemories(plan, PlanLibrary(plan), progress).pinned()
    return plan.model_copy(update={"normality": pinned, "notes": [*plan.notes, *promise_notes(pinned)]})


def _require_encodable(plan: Plan) -> None:
    height, width = plan.preparation.size
    if plan.recipe.output.image_format == "webp" and max(height, width) > WEBP_SIDE:
        raise InputError(
            f"samples of {width} x {height} pixels cannot be written as webp, which holds {WEBP_SIDE} a "
            "side; set output.image_format: png"
        )


def _with_masks(
    folder: str, source: Source, images: list[NormalImage], looks: list[Look]
) -> list[NormalImage]:
    """Pin the user's own foreground masks. Raises InputError where one is missing or does not fit."""
    root = Root(folder)
    with _about("foreground"):
        root.require_folder()
    paths = pair_masks(folder, [image.path for image in images])
    pinned = []
    for image, look in zip(images, looks, strict=True):
        path = paths[image.path]
        try:
            data = root.read(path)
        except OSError as error:
            raise InputError(f"foreground: {error}") from error
        height, width = read_foreground(data, path, source.max_megapixels).shape
        if (height, width) != (look.height, look.width):
            raise InputError(
                f"foreground: the mask {path} is {width} x {height} pixels and its image {look.width} x "
                f"{look.height}; masks must have the size of their images"
                f"{turned_apart(source.read(image.path), data)}"
            )
        mask = PinnedFile(path=path, sha256=sha256(data).hexdigest())
        pinned.append(image.model_copy(update={"foreground_mask": mask}))
    return pinned


def _decide(
    recipe: Recipe, preparation: Preparation, category: str, own: Sequence[NormalImage], progress: Progress
) -> ForegroundRule:
    step = max(1, len(own) // DECISION_IMAGES)
    some = list(_prepared(recipe, preparation, own[::step][:DECISION_IMAGES]))
    return resolve(recipe.foreground, category, some, progress)


def _prepared(recipe: Recipe, preparation: Preparation, images: Iterable[NormalImage]) -> Iterator[Pixels]:
    for image in images:
        pixels = prepare(decode(recipe.source.read(image.path), recipe.source.max_megapixels), preparation)
        yield smaller_copy(pixels) if preparation.resize == "tile" else pixels


def _look_at_textures(collection: str, on_bad_image: OnBadImage) -> Textures:
    with _about("textures"):
        looks, bad, notes = look_at_all(texture_source(collection), on_bad_image)
    if not looks:
        raise InputError(f"textures: none of the {len(bad)} pictures in {collection} can be used")
    return Textures(
        [PinnedFile(path=look.path, sha256=look.sha256) for look in looks],
        [RejectedFile(path=f"{collection}/{file.path}", reason=file.reason) for file in bad],
        [f"{collection}: {note}" for note in notes],
    )


def _pin_bank(name: str) -> PinnedBank:
    # Late: a bank has a plan of its own, which it reads by what is above this module.
    from synthgen.shards.bank import open_bank

    return open_bank(name).pinned


def _names(each: Iterable[set[str]]) -> list[str]:
    return sorted(set().union(*each))


@contextmanager
def _about(subject: str) -> Iterator[None]:
    """Say in an error of a source that it is not about the normal images."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{subject}: {error}") from error

"""freeze(recipe) → plan: look at the world once, pin what was found, and record what cannot be used."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from synthgen.errors import InputError
from synthgen.images import UnusableImage, decode, is_grey, prepare
from synthgen.plan import NormalImage, PinnedFile, Plan, Preparation, RejectedFile
from synthgen.recipe import MAX_SIDE, MIN_SIDE, Recipe
from synthgen.regions.foreground import ForegroundRule, MaskFolder, resolve
from synthgen.regions.mask_folder import pair_masks
from synthgen.scene import Pixels
from synthgen.sources import BuiltinSource, FolderSource, Source
from synthgen.sources.base import Entry
from synthgen.sources.files import Root

DECISION_IMAGES = 16
"""How many images of a category the foreground decision looks at."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Look:
    """What a decoded file turned out to be."""

    path: str
    category: str
    sha256: str
    height: int
    width: int
    grey: bool
    depth16: tuple[int, int] | None


def freeze(recipe: Recipe, progress: Progress | None = None) -> Plan:
    """Pin everything that decides the samples of a recipe.

    ``progress`` is called with (images read, images in all). Raises InputError where no image can be used,
    where the recipe says ``on_bad_image: fail`` and one cannot, or where sizes do not fit together.
    """
    looks, rejected = _look_at_all(recipe, recipe.source, recipe.source.entries(), progress)
    for find_reasons in (_too_small, _of_another_category):
        looks, rejected = _leave_out(recipe, looks, rejected, find_reasons(recipe, looks))
    if not looks:
        first = f"; the first: {rejected[0].path}: {rejected[0].reason}" if rejected else ""
        raise InputError(f"none of the {len(rejected)} images of the source can be used{first}")
    preparation = _preparation(recipe, looks)
    images = _split(looks, recipe.source.held_out)
    if recipe.split != "all" and not any(image.split == recipe.split for image in images):
        raise InputError(
            f"the source has {len(images)} images and none of them is {recipe.split}; "
            "use split: all, or another source.held_out"
        )

    if isinstance(recipe.foreground, MaskFolder):
        images = _with_masks(recipe.foreground.masks, images, looks)
    foreground = {
        category: _decide(recipe, preparation, category, images)
        for category in sorted({image.category for image in images})
    }
    textures, bad_textures = _pin_textures(recipe)
    plan = Plan(
        recipe=recipe,
        preparation=preparation,
        images=images,
        rejected=[*rejected, *bad_textures],
        foreground=foreground,
        textures=textures,
        fingerprint="0" * 64,
    )
    return plan.model_copy(update={"fingerprint": fingerprint(plan)})


def fingerprint(plan: Plan) -> str:
    """sha256 of all that decides the samples; not their number, how they are written, or where files lie."""
    data = plan.model_dump(mode="json", exclude={"fingerprint", "rejected"})
    asked = data["recipe"]
    for field in ("count", "output", "source", "on_bad_image", "foreground"):
        del asked[field]
    for synthesizer in asked["synthesizers"]:
        if "textures" in synthesizer:
            pinned = data["textures"][synthesizer["textures"]]
            synthesizer["textures"] = [file["sha256"] for file in pinned]
    del data["textures"]
    return sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def texture_source(collection: str) -> Source:
    """The source that a texture collection's name stands for."""
    return (
        BuiltinSource(kind="builtin")
        if collection == "builtin"
        else FolderSource(kind="folder", path=collection)
    )


def _look_at_all(
    recipe: Recipe, source: Source, entries: Sequence[Entry], progress: Progress | None
) -> tuple[list[_Look], list[RejectedFile]]:
    looks: list[_Look] = []
    rejected: list[RejectedFile] = []
    with ThreadPoolExecutor() as threads:
        for number, found in enumerate(_in_order(threads, source, entries), 1):
            if isinstance(found, _Look):
                looks.append(found)
            elif recipe.on_bad_image == "fail":
                threads.shutdown(wait=False, cancel_futures=True)
                raise InputError(
                    f"{found.path}: {found.reason}; repair or remove it, or set on_bad_image: skip"
                )
            else:
                rejected.append(found)
            if progress:
                progress(number, len(entries))
    return looks, rejected


def _in_order(
    threads: ThreadPoolExecutor, source: Source, entries: Sequence[Entry]
) -> Iterator[_Look | RejectedFile]:
    # A window of files at a time: submitting all at once would keep what was read until it is asked for.
    for first in range(0, len(entries), 64):
        yield from threads.map(lambda entry: _look(source, entry), entries[first : first + 64])


def _look(source: Source, entry: Entry) -> _Look | RejectedFile:
    try:
        data = source.read(entry.path)
        pixels = decode(data)
    except UnusableImage as error:
        return RejectedFile(path=entry.path, reason=str(error))
    except OSError as error:
        return RejectedFile(path=entry.path, reason=str(error))
    deep = (int(pixels.min()), int(pixels.max())) if pixels.dtype.itemsize == 2 else None
    height, width = pixels.shape[:2]
    return _Look(entry.path, entry.category, sha256(data).hexdigest(), height, width, is_grey(pixels), deep)


def _leave_out(
    recipe: Recipe, looks: list[_Look], rejected: list[RejectedFile], reasons: dict[str, str]
) -> tuple[list[_Look], list[RejectedFile]]:
    """Reject the images whose paths have a reason."""
    if reasons and recipe.on_bad_image == "fail":
        path, reason = next(iter(reasons.items()))
        raise InputError(f"{path}: {reason}")
    more = [RejectedFile(path=path, reason=reason) for path, reason in reasons.items()]
    return [look for look in looks if look.path not in reasons], [*rejected, *more]


def _too_small(recipe: Recipe, looks: list[_Look]) -> dict[str, str]:
    """The images that are smaller than the part to be cut out of them."""
    if recipe.fit != "crop" or recipe.size == "native":
        return {}
    height, width = recipe.size
    return {
        look.path: f"is {look.width} x {look.height} pixels, smaller than the {width} x {height} to be "
        "cropped; use fit: resize or a smaller size"
        for look in looks
        if look.height < height or look.width < width
    }


def _of_another_category(recipe: Recipe, looks: list[_Look]) -> dict[str, str]:
    """The copies of an image of another category: it has one foreground, and one side of the split."""
    first: dict[str, _Look] = {}
    for look in looks:
        first.setdefault(look.sha256, look)
    return {
        look.path: f"is a copy of {first[look.sha256].path}, which is of another category; remove one of them"
        for look in looks
        if look.category != first[look.sha256].category
    }


def _preparation(recipe: Recipe, looks: list[_Look]) -> Preparation:
    depths = [look.depth16 for look in looks if look.depth16]
    depth16 = (min(low for low, _ in depths), max(high for _, high in depths)) if depths else None
    return Preparation(
        size=_native_size(looks) if recipe.size == "native" else recipe.size,
        fit=recipe.fit,
        channels=1 if all(look.grey for look in looks) else 3,
        depth16=depth16,
    )


def _native_size(looks: list[_Look]) -> tuple[int, int]:
    sizes = sorted({(look.height, look.width) for look in looks})
    if len(sizes) > 1:
        some = ", ".join(f"{width} x {height}" for height, width in sizes[:3])
        raise InputError(
            f"size: native needs images of one size, and the source has {len(sizes)} sizes ({some}"
            f"{' …' if len(sizes) > 3 else ''}); set size: [height, width] or choose the images by a pattern"
        )
    if max(sizes[0]) > MAX_SIDE:
        raise InputError(
            f"the images are {sizes[0][1]} x {sizes[0][0]} pixels, and a sample has {MIN_SIDE} to {MAX_SIDE} "
            "a side; set size: [height, width]"
        )
    return sizes[0]


def _split(looks: list[_Look], held_out: float) -> list[NormalImage]:
    """Hold out, in each category, the images with the smallest hashes: fixed, whatever the files' names."""
    held: set[str] = set()
    for category in {look.category for look in looks}:
        hashes = sorted({look.sha256 for look in looks if look.category == category})
        held.update(hashes[: int(held_out * len(hashes))])

    def side(look: _Look) -> Literal["fit", "heldout"]:
        return "heldout" if look.sha256 in held else "fit"

    return [
        NormalImage(path=look.path, sha256=look.sha256, category=look.category, split=side(look))
        for look in looks
    ]


def _with_masks(folder: str, images: list[NormalImage], looks: list[_Look]) -> list[NormalImage]:
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
            height, width = decode(data).shape[:2]
        except (UnusableImage, OSError) as error:
            raise InputError(f"foreground: the mask {path} cannot be used: {error}") from error
        if (height, width) != (look.height, look.width):
            raise InputError(
                f"foreground: the mask {path} is {width} x {height} pixels and its image {look.width} x "
                f"{look.height}; masks must have the size of their images"
            )
        mask = PinnedFile(path=path, sha256=sha256(data).hexdigest())
        pinned.append(image.model_copy(update={"foreground_mask": mask}))
    return pinned


def _decide(
    recipe: Recipe, preparation: Preparation, category: str, images: list[NormalImage]
) -> ForegroundRule:
    own = [image for image in images if image.category == category]
    step = max(1, len(own) // DECISION_IMAGES)
    return resolve(
        recipe.foreground, category, list(_prepared(recipe, preparation, own[::step][:DECISION_IMAGES]))
    )


def _prepared(recipe: Recipe, preparation: Preparation, images: Iterable[NormalImage]) -> Iterator[Pixels]:
    for image in images:
        yield prepare(decode(recipe.source.read(image.path)), preparation)


def _pin_textures(recipe: Recipe) -> tuple[dict[str, list[PinnedFile]], list[RejectedFile]]:
    pinned: dict[str, list[PinnedFile]] = {}
    rejected: list[RejectedFile] = []
    for collection in sorted(set().union(*(each.collections() for each in recipe.synthesizers))):
        source = texture_source(collection)
        with _about("textures"):
            looks, bad = _look_at_all(recipe, source, source.entries(), None)
        if not looks:
            raise InputError(f"textures: none of the {len(bad)} pictures in {collection} can be used")
        pinned[collection] = [PinnedFile(path=look.path, sha256=look.sha256) for look in looks]
        rejected += [RejectedFile(path=f"{collection}/{file.path}", reason=file.reason) for file in bad]
    return pinned, rejected


@contextmanager
def _about(subject: str) -> Iterator[None]:
    """Say in an error of a source that it is not about the normal images."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{subject}: {error}") from error

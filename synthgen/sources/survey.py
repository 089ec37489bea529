"""Looking once at all images of a source: what can be used, of which size, on which side of the split."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from synthgen.config.document import one_line
from synthgen.errors import InputError
from synthgen.images.decode import UnusableImage, decode, has_more_pages
from synthgen.images.depth import DepthRange, Levels, depth_range, levels
from synthgen.images.own import is_marked
from synthgen.images.pixels import is_grey
from synthgen.images.preparation import MAX_SIDE, MIN_SIDE, Preparation, Resize
from synthgen.runtime.progress import Progress
from synthgen.sources.base import Entry, Listed, Source
from synthgen.sources.content import OURS, looks_like_a_mask, require_no_mask
from synthgen.sources.records import NormalImage, RejectedFile
from synthgen.sources.split import held_out_hashes
from synthgen.storage.listing import formats_note

Size = tuple[int, int] | Literal["native"]
"""Height and width, or the size that all images have."""
OnBadImage = Literal["skip", "fail"]


@dataclass(frozen=True, slots=True)
class Look:
    """What a decoded file turned out to be."""

    path: str
    category: str
    sha256: str
    height: int
    width: int
    grey: bool
    levels: Levels | None
    """Of a 16-bit image."""
    mask_like: bool
    has_more_pages: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """The usable images of a source, and how they are prepared."""

    looks: list[Look]
    rejected: list[RejectedFile]
    preparation: Preparation
    depth: DepthRange | None
    """The range of the 16-bit images, where there are any."""
    images: list[NormalImage]
    """The usable images, split into those for training and held-out ones, in the order of ``looks``."""
    notes: list[str]
    """What a person should know of the rest: a sentence each."""


class NoUsableImageError(InputError):
    """A source none of whose images can be used."""

    def __init__(self, rejected: list[RejectedFile]) -> None:
        self.rejected = rejected
        first = one_line(f"; the first: {rejected[0].path}: {rejected[0].reason}") if rejected else ""
        super().__init__(f"none of the {len(rejected)} images of the source can be used{first}")


def survey(
    source: Source,
    size: Size,
    resize: Resize,
    on_bad_image: OnBadImage,
    progress: Progress | None = None,
    *,
    intensity_range: tuple[int, int] | None = None,
) -> Survey:
    """Look at every image of a source.

    ``progress`` is called with (images read, images in all). ``intensity_range`` is the range of 16-bit
    images; without it, it is found as `synthgen.images.depth` says. Raises InputError where no image can be
    used, where one cannot and ``on_bad_image`` is ``fail``, or where sizes do not fit together.
    """
    looks, rejected, notes = look_at_all(source, on_bad_image, progress)
    if not source.chosen_by_hand:
        require_no_mask([look.path for look in looks if look.mask_like])
    for reasons in (_too_small(looks, size, resize), _of_another_category(looks)):
        looks, rejected = _leave_out(on_bad_image, looks, rejected, reasons)
    if not looks:
        raise NoUsableImageError(rejected)
    depth = depth_range([look.levels for look in looks], intensity_range)
    preparation = _preparation(looks, size, resize, depth)
    return Survey(looks, rejected, preparation, depth, _split(looks, source.held_out), notes)


def look_at_all(
    source: Source, on_bad_image: OnBadImage, progress: Progress | None = None
) -> tuple[list[Look], list[RejectedFile], list[str]]:
    """Read, hash and decode every image of a source: what each is, which cannot be used, and notes."""
    listed = source.listing()
    entries = listed.entries
    looks: list[Look] = []
    rejected = strays_of(listed)
    if rejected and on_bad_image == "fail":
        raise _refused(rejected[0])
    with ThreadPoolExecutor(source.threads) as threads:
        for number, found in enumerate(_in_order(threads, source, entries), 1):
            if isinstance(found, Look):
                looks.append(found)
            elif on_bad_image == "fail" and found.reason != OURS:
                threads.shutdown(wait=False, cancel_futures=True)
                raise _refused(found)
            else:
                rejected.append(found)
            if progress:
                progress(number, len(entries))
    paths = [look.path for look in looks if look.has_more_pages]
    return looks, rejected, [*formats_note(listed.other_formats), *pages_note(paths)]


def strays_of(listed: Listed) -> list[RejectedFile]:
    """The strays of a source as files that cannot be used."""
    return [RejectedFile(path=stray.path, reason=stray.reason) for stray in listed.strays]


def pages_note(paths: Sequence[str]) -> list[str]:
    """One sentence on images of several pages or frames; none where there is no such image."""
    if not paths:
        return []
    have = "1 image has" if len(paths) == 1 else f"{len(paths)} images have"
    return [f"{have} several pages or frames, such as {paths[0]}; only the first is used"]


def _refused(file: RejectedFile) -> InputError:
    what = one_line(f"{file.path}: {file.reason}")
    return InputError(f"{what}; repair or remove it, or set on_bad_image: skip")


def _in_order(
    threads: ThreadPoolExecutor, source: Source, entries: Sequence[Entry]
) -> Iterator[Look | RejectedFile]:
    # A window of files at a time: submitting all at once would keep what was read until it is asked for.
    for first in range(0, len(entries), 64):
        yield from threads.map(lambda entry: _look(source, entry), entries[first : first + 64])


def _look(source: Source, entry: Entry) -> Look | RejectedFile:
    try:
        data = source.read(entry.path)
        if is_marked(data):
            return RejectedFile(path=entry.path, reason=OURS)
        pixels = decode(data, source.max_megapixels)
        more_pages = has_more_pages(data)
    except UnusableImage as error:
        return RejectedFile(path=entry.path, reason=str(error))
    except OSError as error:
        return RejectedFile(path=entry.path, reason=str(error))
    height, width = pixels.shape[:2]
    return Look(
        path=entry.path,
        category=entry.category,
        sha256=sha256(data).hexdigest(),
        height=height,
        width=width,
        grey=is_grey(pixels),
        levels=levels(pixels),
        mask_like=looks_like_a_mask(pixels),
        has_more_pages=more_pages,
    )


def _leave_out(
    on_bad_image: OnBadImage, looks: list[Look], rejected: list[RejectedFile], reasons: dict[str, str]
) -> tuple[list[Look], list[RejectedFile]]:
    """Reject the images whose paths have a reason."""
    if reasons and on_bad_image == "fail":
        path, reason = next(iter(reasons.items()))
        raise InputError(f"{path}: {reason}")
    more = [RejectedFile(path=path, reason=reason) for path, reason in reasons.items()]
    return [look for look in looks if look.path not in reasons], [*rejected, *more]


def _too_small(looks: list[Look], size: Size, resize: Resize) -> dict[str, str]:
    """The images that are smaller than the part to be cut out of them."""
    if resize == "whole" or size == "native":
        return {}
    height, width = size
    return {
        look.path: f"is {look.width} x {look.height} pixels, smaller than the {width} x {height} to be "
        f"{'cropped' if resize == 'crop' else 'cut out'}; use resize: whole or a smaller size"
        for look in looks
        if look.height < height or look.width < width
    }


def _of_another_category(looks: list[Look]) -> dict[str, str]:
    """The copies of an image of another category: it has one foreground, and one side of the split."""
    first: dict[str, Look] = {}
    for look in looks:
        first.setdefault(look.sha256, look)
    return {
        look.path: f"is a copy of {first[look.sha256].path}, which is of another category; remove one of them"
        for look in looks
        if look.category != first[look.sha256].category
    }


def _preparation(looks: list[Look], size: Size, resize: Resize, depth: DepthRange | None) -> Preparation:
    return Preparation(
        size=_native_size(looks) if size == "native" else size,
        resize=resize,
        channels=1 if all(look.grey for look in looks) else 3,
        depth16=depth.range if depth else None,
    )


def _native_size(looks: list[Look]) -> tuple[int, int]:
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


def _split(looks: list[Look], held_out: float) -> list[NormalImage]:
    """Hold out, in each category, the images with the smallest hashes: fixed, whatever the files' names."""
    by_category: dict[str, set[str]] = {}
    for look in looks:
        by_category.setdefault(look.category, set()).add(look.sha256)
    held: set[str] = set()
    for hashes in by_category.values():
        held |= held_out_hashes(hashes, held_out)

    def side(look: Look) -> Literal["train", "held-out"]:
        return "held-out" if look.sha256 in held else "train"

    return [
        NormalImage(path=look.path, sha256=look.sha256, category=look.category, split=side(look))
        for look in looks
    ]

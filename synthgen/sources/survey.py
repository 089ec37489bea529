"""Looking once at all images of a source: what can be used, of which size, on which side of the split."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from synthgen.errors import InputError
from synthgen.images.decode import UnusableImage, decode
from synthgen.images.pixels import is_grey
from synthgen.images.preparation import MAX_SIDE, MIN_SIDE, Preparation, Resize
from synthgen.runtime.progress import Progress
from synthgen.sources.base import Entry, Source
from synthgen.sources.records import NormalImage, RejectedFile

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
    depth16: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Survey:
    """The usable images of a source, and how they are prepared."""

    looks: list[Look]
    rejected: list[RejectedFile]
    preparation: Preparation
    images: list[NormalImage]
    """The usable images, split into those for training and held-out ones, in the order of ``looks``."""


class NoUsableImageError(InputError):
    """A source none of whose images can be used."""

    def __init__(self, rejected: list[RejectedFile]) -> None:
        self.rejected = rejected
        first = f"; the first: {rejected[0].path}: {rejected[0].reason}" if rejected else ""
        super().__init__(f"none of the {len(rejected)} images of the source can be used{first}")


def survey(
    source: Source, size: Size, resize: Resize, on_bad_image: OnBadImage, progress: Progress | None = None
) -> Survey:
    """Look at every image of a source.

    ``progress`` is called with (images read, images in all). Raises InputError where no image can be used,
    where one cannot and ``on_bad_image`` is ``fail``, or where sizes do not fit together.
    """
    looks, rejected = look_at_all(source, on_bad_image, progress)
    for reasons in (_too_small(looks, size, resize), _of_another_category(looks)):
        looks, rejected = _leave_out(on_bad_image, looks, rejected, reasons)
    if not looks:
        raise NoUsableImageError(rejected)
    return Survey(looks, rejected, _preparation(looks, size, resize), _split(looks, source.held_out))


def look_at_all(
    source: Source, on_bad_image: OnBadImage, progress: Progress | None = None
) -> tuple[list[Look], list[RejectedFile]]:
    """Read, hash and decode every image of a source: what each is, and which cannot be used."""
    entries = source.entries()
    looks: list[Look] = []
    rejected: list[RejectedFile] = []
    with ThreadPoolExecutor(source.threads) as threads:
        for number, found in enumerate(_in_order(threads, source, entries), 1):
            if isinstance(found, Look):
                looks.append(found)
            elif on_bad_image == "fail":
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
) -> Iterator[Look | RejectedFile]:
    # A window of files at a time: submitting all at once would keep what was read until it is asked for.
    for first in range(0, len(entries), 64):
        yield from threads.map(lambda entry: _look(source, entry), entries[first : first + 64])


def _look(source: Source, entry: Entry) -> Look | RejectedFile:
    try:
        data = source.read(entry.path)
        pixels = decode(data, source.max_megapixels)
    except UnusableImage as error:
        return RejectedFile(path=entry.path, reason=str(error))
    except OSError as error:
        return RejectedFile(path=entry.path, reason=str(error))
    deep = (int(pixels.min()), int(pixels.max())) if pixels.dtype.itemsize == 2 else None
    height, width = pixels.shape[:2]
    return Look(entry.path, entry.category, sha256(data).hexdigest(), height, width, is_grey(pixels), deep)


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


def _preparation(looks: list[Look], size: Size, resize: Resize) -> Preparation:
    depths = [look.depth16 for look in looks if look.depth16]
    depth16 = (min(low for low, _ in depths), max(high for _, high in depths)) if depths else None
    return Preparation(
        size=_native_size(looks) if size == "native" else size,
        resize=resize,
        channels=1 if all(look.grey for look in looks) else 3,
        depth16=depth16,
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
    held: set[str] = set()
    for category in {look.category for look in looks}:
        hashes = sorted({look.sha256 for look in looks if look.category == category})
        held.update(hashes[: int(held_out * len(hashes))])

    def side(look: Look) -> Literal["train", "held-out"]:
        return "held-out" if look.sha256 in held else "train"

    return [
        NormalImage(path=look.path, sha256=look.sha256, category=look.category, split=side(look))
        for look in looks
    ]

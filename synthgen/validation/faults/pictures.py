"""Pictures that both sides of a comparison have seen."""

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Pixels
from synthgen.validation.faults.triples import Thumbnail, mean_difference, thumbnail
from synthgen.validation.report import Fault
from synthgen.validation.samples import SampleSet

SAME_PICTURE = "same picture on both sides"

MOST_DIFFERENT = 5.0
"""Grey levels, mean, between two files of one picture: JPEG of quality 75 changes gravel by 4.5."""
MUCH_NEARER = 0.25
"""Two files of one picture differ by less than this fraction of what a normal image differs by from the most
alike other one: photographs of products in one pose may be a few grey levels apart."""
BLANK = 3.0
"""Standard deviation of the channels, grey levels: little more than the noise of a camera."""


class _Picture(NamedTuple):
    """A normal image that samples were made of."""

    pixels: Pixels
    thumbnail: Thumbnail
    sources: set[str]
    """sha256 of the files that it came from."""

    @property
    def blank(self) -> bool:
        """Whether it shows nothing that it could be known by, as tiles of a black background."""
        return float(cv2.meanStdDev(self.pixels)[1].max()) < BLANK


def same_picture(learning: SampleSet, judging: SampleSet, name: str) -> Fault | None:
    """Whether samples to learn from and to judge on were made of the same file, or of the same picture."""
    learned, judged = _pictures(learning), _pictures(judging)
    sources = {source for picture in learned for source in picture.sources}
    others = [picture for picture in judged if not picture.sources & sources]
    same, near = len(judged) - len(others), _in_other_files(others, learned)
    if not same and not near:
        return None
    return Fault(
        subject=name,
        fault=SAME_PICTURE,
        sentence=f"{same + near} of {len(judged)} normal images that the samples to judge on are made "
        f"of are also among those to learn from ({same} the same file, {near} the same picture in "
        "another file): what a detector has learned by heart is taken for what it can find.",
    )


def shared_pictures(real: Mapping[str, str], normals: Collection[str]) -> Fault | None:
    """Whether real test images are, byte for byte, among the normal images.

    ``real``: the sha256 of each test image's file by its name; ``normals``: those of the normal images that
    are learned from or held out.
    """
    known = set(normals)
    shared = sorted(name for name, digest in real.items() if digest in known)
    if not shared:
        return None
    return Fault(
        subject="real test images",
        fault=SAME_PICTURE,
        sentence=f"{len(shared)} of {len(real)} real test images are also among the normal images that are "
        f"learned from or held out, such as {shared[0]}: what a detector has learned by heart is taken for "
        "what it can tell of new products.",
    )


def _pictures(samples: SampleSet) -> list[_Picture]:
    """The different normal images."""
    found: dict[str, _Picture] = {}
    for pixels, source in zip(samples.normals, samples.sources, strict=True):
        key = sha256(pixels.tobytes()).hexdigest()
        if key not in found:
            found[key] = _Picture(pixels, thumbnail(pixels), set())
        found[key].sources.add(source)
    return list(found.values())


def _in_other_files(judged: Sequence[_Picture], learned: Sequence[_Picture]) -> int:
    """How many pictures to judge on are, in pixels, one to learn from, or nearly."""
    others = [picture for picture in learned if not picture.blank]
    if not others:
        return 0
    thumbnails = np.stack([picture.thumbnail for picture in others])
    limit = MOST_DIFFERENT
    if len(others) > 1:
        usual = float(np.median([_nearest(picture, others, thumbnails) for picture in others]))
        limit = min(limit, MUCH_NEARER * usual)
    return sum(_nearest(picture, others, thumbnails) <= limit for picture in judged if not picture.blank)


def _nearest(picture: _Picture, others: Sequence[_Picture], thumbnails: npt.NDArray[np.float32]) -> float:
    """Mean grey levels between a picture and the other one whose thumbnail is most like its own."""
    distances = np.abs(thumbnails - picture.thumbnail).mean(1)
    distances[[other is picture for other in others]] = np.inf
    return mean_difference(picture.pixels, others[int(distances.argmin())].pixels)

"""The real test images of the product, where there are any."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from synthgen.config.listing import listed
from synthgen.errors import InputError
from synthgen.evaluation.labelled import open_dataset
from synthgen.evaluation.protocol import read_truth
from synthgen.evaluation.test_set import TestSet
from synthgen.images.pixels import Pixels
from synthgen.runtime.progress import Progress
from synthgen.validation.faults import shared_pictures
from synthgen.validation.product import Product, part_of
from synthgen.validation.report import Fault

LEAST_OF_A_KIND = 5
"""Fewer good or defective test images say nothing."""


@dataclass(frozen=True)
class RealImages:
    """Labelled test images at the detectors' size."""

    category: str
    """The product, as the data set calls it."""
    images: Pixels
    """(N, side, side, 3) uint8."""
    anomalous: npt.NDArray[np.bool_]
    """(N,)"""
    defect_types: tuple[str, ...]
    parts: tuple[str, ...]
    """What images of one physical part have in common."""
    masks: npt.NDArray[np.bool_]
    """(N, side, side); of use where ``labelled``."""
    labelled: npt.NDArray[np.bool_]
    """Which images have labels of their pixels, (N,)."""


def read_real(
    place: str, category: str | None, product: Product, parts: str | None, progress: Progress
) -> tuple[RealImages, list[Fault]]:
    """Read the test images of a data set, but those that are among the product's normal images, too.

    Raises InputError where the data set has several categories and none is chosen, where an image or mask
    cannot be used, and where too few images are left.
    """
    dataset = open_dataset(place)
    names = list(dataset.categories())
    if category in names:
        names = [str(category)]
    if len(names) > 1:
        raise InputError(
            f"{place}: has test images of {len(names)} products ({', '.join(listed(names))}); choose one by "
            "--category"
        )
    test_set = _unpaired_without_masks(replace(dataset.test_set(names[0]), depth16=product.depth16))
    truth = read_truth(test_set, product.side, progress)
    seen = set(product.learning.sha256s) | set(product.held_out.sha256s)
    kept = [number for number, digest in enumerate(truth.sha256s) if digest not in seen]
    anomalous = truth.anomalous[kept]
    for label, count in (("good", int((~anomalous).sum())), ("defective", int(anomalous.sum()))):
        if count < LEAST_OF_A_KIND:
            raise InputError(
                f"{place}: has {count} {label} test images"
                + (" that are not among the normal images" if len(kept) < len(truth.sha256s) else "")
                + f"; at least {LEAST_OF_A_KIND} are expected; add some, or leave --real out"
            )
    chosen = [test_set.images[number] for number in kept]
    blank = np.zeros((product.side, product.side), np.bool_)
    masks = [truth.masks[number] for number in kept]
    real = RealImages(
        category=names[0],
        images=np.stack([test_set.image(image, product.side) for image in chosen]),
        anomalous=anomalous,
        defect_types=tuple(image.defect_type for image in chosen),
        parts=tuple(part_of(image.path, parts) for image in chosen),
        masks=np.stack([blank if mask is None else mask for mask in masks]),
        labelled=np.array([mask is not None for mask in masks]),
    )
    files = {image.path: digest for image, digest in zip(test_set.images, truth.sha256s, strict=True)}
    fault = shared_pictures(files, seen)
    return real, [] if fault is None else [_left_out(fault)]


def _unpaired_without_masks(test_set: TestSet) -> TestSet:
    """The test set, where an anomalous image without a mask counts for images alone."""
    images = [
        replace(image, paired=False) if image.anomalous and image.mask is None else image
        for image in test_set.images
    ]
    return replace(test_set, images=tuple(images))


def _left_out(fault: Fault) -> Fault:
    return fault.model_copy(update={"sentence": f"{fault.sentence} They were left out of the test."})

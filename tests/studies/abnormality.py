"""What is called abnormal on a product: good pictures, patches of good pictures, real defects, and recipes.

`python -m tests.studies.abnormality GOOD REAL RECIPE…` takes about a minute, and ten seconds a recipe.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgen.detectors.choice import DetectorChoice
from synthgen.detectors.common.features import FeatureExtractor
from synthgen.detectors.segmenter.cells import cells_of
from synthgen.evaluation.test_set import to_tensor
from synthgen.images.pixels import Pixels
from synthgen.normality.abnormality import abnormalities
from synthgen.normality.memory import NormalMemory
from synthgen.recipe.files import load_recipe
from synthgen.runtime.progress import silent
from synthgen.streams import Stream
from synthgen.validation.protocol import (
    ABNORMAL_SHARE,
    CONTROL_RECIPE,
    JUDGED_SEED,
    NORMAL_CELLS,
    control,
    fixed,
)
from synthgen.validation.sample_sets import anomalies_of, sample_set
from synthgen.validation.setting import look

BATCH = 16
PAIRS = 96
SAMPLES = 96

Masks = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Eye:
    """Cells of images, as the validation sees them."""

    def __init__(self) -> None:
        detector = DetectorChoice("padim", {}, None, "imagenet", "cpu").make()
        assert detector.backbone
        self._extract = FeatureExtractor(detector.backbone, detector.device)

    def cells(self, images: Pixels) -> list[Tensor]:
        """Batches (B, C, side, side) of images (N, H, W, 3)."""
        return [
            cells_of(self._extract(to_tensor(list(images[first : first + BATCH]))))
            for first in range(0, len(images), BATCH)
        ]

    def points(self, images: Pixels) -> list[Tensor]:
        """The cells (M, C) of each image."""
        return [image.flatten(1).mT for batch in self.cells(images) for image in batch]


def swapped(images: Pixels) -> tuple[Pixels, Masks]:
    """Pairs of good pictures: one with a patch of another, at the place where it was."""
    made, masks = [], []
    height, width = images.shape[1:3]
    for number in range(PAIRS):
        stream = Stream(0, number, "swapped patches")
        first, second = stream.distinct(len(images), 2)
        tall, wide = (int(stream.uniform((16, 64))) for _ in range(2))
        top, left = stream.integer(0, height - tall), stream.integer(0, width - wide)
        mask = np.zeros((height, width), np.bool_)
        mask[top : top + tall, left : left + wide] = True
        made.append(np.where(mask[..., None], images[second], images[first]))
        masks.append(mask)
    return np.stack(made), np.stack(masks)


def shares(eye: Eye, images: Pixels, masks: Masks, memory: NormalMemory) -> Floats:
    """Share of each mask beyond normal variation, (N,)."""
    found: list[float] = []
    for number, cells in enumerate(eye.cells(images)):
        some = torch.from_numpy(masks[number * BATCH :][: len(cells)])
        found += [each.share for each in abnormalities(cells, some, memory)]
    return np.array(found)


def tell(what: str, found: Floats) -> None:
    """A line of the table."""
    error = found.std(ddof=1) / len(found) ** 0.5 if len(found) > 1 else float("nan")
    normal = (found < ABNORMAL_SHARE).mean()
    print(f"{what:34} {len(found):5}   {found.mean():6.1%} ± {error:5.1%}   {normal:6.1%}", flush=True)


@torch.inference_mode()
def study(good: str, real: str, recipes: Sequence[str]) -> None:
    """Print the table."""
    found = look(good, real, None, None, None, progress=silent)
    product, test = found.product, found.real
    assert test is not None
    eye = Eye()
    learning, held_out = product.learning, product.held_out
    memory = NormalMemory.of(
        eye.points(learning.images), len(learning), eye.points(held_out.images), NORMAL_CELLS
    )
    print(f"{product.name}: {len(learning)} good pictures learned from, {len(held_out)} held out,")
    print(
        f"{len(memory.cells):,} cells; of good products' at least {memory.threshold.quantile:.1%} are normal"
    )
    print(f"{'':34} {'':>5}   {'beyond normal':>14}   look normal")
    whole = np.ones(test.images.shape[:3], np.bool_)
    tell("good test pictures", shares(eye, test.images[~test.anomalous], whole[~test.anomalous], memory))
    tell("a good patch in its own place", shares(eye, *swapped(test.images[~test.anomalous]), memory))
    nothing = sample_set(
        anomalies_of(
            control(load_recipe(CONTROL_RECIPE)), held_out, JUDGED_SEED, product.name, nothing_pasted=True
        ),
        held_out,
        SAMPLES,
    )
    tell("nothing pasted", shares(eye, nothing.images, nothing.masks, memory))
    types, known = np.array(test.defect_types), test.anomalous & test.labelled & test.masks.any((1, 2))
    for name in np.unique(types[known]):
        chosen = known & (types == name)
        tell(f"real: {name}", shares(eye, test.images[chosen], np.array(test.masks[chosen]), memory))
    for name in recipes:
        samples = sample_set(
            anomalies_of(fixed(load_recipe(name)), held_out, JUDGED_SEED, product.name), held_out, SAMPLES
        )
        shown = samples.anomalous
        by_sample = shares(eye, samples.images[shown], samples.masks[shown], memory)
        tell(name, by_sample)
        methods = np.array(samples.methods)[shown]
        for method in np.unique(methods) if len(np.unique(methods)) > 1 else []:
            tell(f"  {name}: {method}", by_sample[methods == method])


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("good")
    parser.add_argument("real")
    parser.add_argument("recipes", nargs="*")
    study(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()

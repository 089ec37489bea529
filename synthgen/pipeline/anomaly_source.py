"""The samples of a plan as detectors learn from them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from synthgen.detectors.inputs import AnomalyBatch
from synthgen.errors import InputError
from synthgen.images.pixels import Pixels
from synthgen.pipeline.freeze import Pins, find_ground, freeze, freeze_on
from synthgen.pipeline.image_store import CACHE_BYTES
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.regions.foreground import MaskFolder
from synthgen.runtime.progress import Stages, silent
from synthgen.sample import Sample
from synthgen.sources.uploads import HELD_OUT, UploadSource
from synthgen.streams import Stream

PNG_EFFORT = 1
"""The pictures are decoded once, so they are to be encoded quickly."""


class PlanAnomalies:
    """The samples of a plan, in the order of their indices; those of the plan's side of the split.

    Raises InputError where a method of the plan makes images without a pair, which says nothing of where a
    defect is.
    """

    def __init__(
        self,
        plan: Plan,
        device: str = "cpu",
        nothing_pasted: bool = False,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        require_masks(plan.recipe)
        self.methods: Sequence[str] = list(dict.fromkeys(each.method for each in plan.recipe.synthesizers))
        self._pipeline = Pipeline(plan, device, cache_bytes=cache_bytes, nothing_pasted=nothing_pasted)

    def samples(self, count: int, first: int = 0) -> Iterator[Sample]:
        """The samples ``first`` to ``first + count - 1``, with their facts."""
        return self._pipeline.samples(range(first, first + count))

    def normals(self, count: int, first: int = 0) -> Iterator[tuple[str, Pixels]]:
        """What those samples are made of, without making them: sha256 and pixels (H, W, C)."""
        for index in range(first, first + count):
            draft = self._pipeline.begin(index)
            yield draft.image.sha256, draft.scene.image

    def batches(self, size: int, count: int, first: int = 0) -> Iterator[AnomalyBatch]:
        """The samples ``first`` to ``first + count - 1``, in batches."""
        for start in range(first, first + count, size):
            samples = self._pipeline.samples(range(start, min(start + size, first + count)))
            yield _batch(list(samples))


def anomalies_on(
    images: Sequence[Pixels],
    recipe: Recipe,
    seed: int,
    category: str,
    progress: Stages = silent,
    *,
    nothing_pasted: bool = False,
    others: Sequence[Pixels] = (),
) -> PlanAnomalies:
    """What a recipe makes of a detector's own normal images, as the detector sees them.

    ``images``: (H, W, 3) uint8, all of one size, and of the product ``category``. Each sample is to show a
    defect, whatever share of them the recipe would leave normal; its seed and ``seed`` together decide
    everything random. ``nothing_pasted`` is a `Pipeline`'s. With ``judge.abnormal`` what is normal is learned
    from ``others``, further normal images of that size, and where that ends from ``images``; without others
    both are parts of ``images``. Raises InputError as `freeze` and `PlanAnomalies` do, and for a
    foreground of mask files, which have the size of the images before they were resized.
    """
    require_masks(recipe)
    if isinstance(recipe.foreground, MaskFolder):
        raise InputError(
            f"recipe {recipe.name}: foreground masks fit the images at their own size, and a detector sees "
            "them resized; take foreground: auto"
        )
    others = others if recipe.judge.abnormal else ()
    is_grey = all((pixels == pixels[..., :1]).all() for pixels in (*images, *others))
    encoded = [_png(pixels[..., :1] if is_grey else pixels) for pixels in (*images, *others)]
    held_out = HELD_OUT if recipe.judge.abnormal and not others else 0.0
    source = UploadSource.of(encoded, category, held_out)
    height, width = images[0].shape[:2]
    own = recipe.model_copy(
        update={
            "source": source,
            "size": (height, width),
            "resize": "whole",
            "split": "all",
            "spread": "images",
            "normal_share": 0.0,
            "on_bad_image": "fail",
            "seed": Stream(recipe.seed, seed, "anomalies to learn from").integer(0, 2**53),
        }
    )
    if not others:
        return PlanAnomalies(freeze(own, progress), nothing_pasted=nothing_pasted)
    ground = find_ground(own, progress)
    ours = {entry.path for entry in source.entries()[: len(images)]}
    sides = [
        image.model_copy(update={"split": "held-out" if image.path in ours else "train"})
        for image in ground.images
    ]
    chosen = own.model_copy(update={"split": "held-out"})
    plan = freeze_on(replace(ground, images=sides), chosen, Pins(), progress)
    return PlanAnomalies(plan, nothing_pasted=nothing_pasted)


def require_masks(recipe: Recipe) -> None:
    """Raise InputError where a method of the recipe makes images without a pair."""
    if unpaired := [each.method for each in recipe.synthesizers if not each.paired]:
        raise InputError(
            f"recipe {recipe.name}: {unpaired[0]} makes whole images that have no mask of their own, and a "
            "detector learns from masks; take a recipe without it"
        )


def _batch(samples: Sequence[Sample]) -> AnomalyBatch:
    return AnomalyBatch(
        images_tensor([sample.image for sample in samples]),
        torch.from_numpy(np.stack([sample.mask > 0 for sample in samples])),
        images_tensor([sample.normal for sample in samples]),
        tuple(sample.facts.method for sample in samples),
        _doubtful(samples),
    )


def _doubtful(samples: Sequence[Sample]) -> Tensor | None:
    if all(sample.doubtful is None for sample in samples):
        return None
    none = np.zeros(samples[0].mask.shape, np.bool_)
    return torch.from_numpy(
        np.stack([none if sample.doubtful is None else sample.doubtful for sample in samples])
    )


def images_tensor(images: Sequence[Pixels]) -> Tensor:
    """(B, 3, H, W) float32 in [0, 1]; a grey image has the same value in all three channels."""
    found = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    return found.expand(-1, 3, -1, -1).contiguous()


def _png(pixels: Pixels) -> bytes:
    written = np.ascontiguousarray(pixels[..., ::-1])
    _, encoded = cv2.imencode(".png", written, [cv2.IMWRITE_PNG_COMPRESSION, PNG_EFFORT])
    return encoded.tobytes()

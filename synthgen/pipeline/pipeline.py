"""plan + indices → samples: choose, draw, make, composite, judge."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from synthgen.defect import Composite, Defect, Verdict, judge, unjudged
from synthgen.images.preparation import Tile
from synthgen.pipeline.image_store import CACHE_BYTES, PlanLibrary, Shelf
from synthgen.plan.image_order import ImageOrder, drawn_from
from synthgen.plan.plan import Plan
from synthgen.plan.record import Recorder
from synthgen.recipe.recipe import Recipe
from synthgen.sample import FORMAT_VERSION, Facts, Sample, sample_key
from synthgen.scene import Scene
from synthgen.sources.records import NormalImage
from synthgen.streams import Stream
from synthgen.synthesizers.base import Params, Synthesizer

BATCH_SIZE = 32
BATCH_PIXELS = 2**22
"""Most pixels of a batch's images together: large images are made a few at a time, to bound memory."""


@dataclass(slots=True)
class Draft:
    """A sample in the making."""

    recipe: Recipe
    index: int
    image: NormalImage
    scene: Scene
    synthesizer: Synthesizer[Any] | None
    attempts: int = 0
    params: Params | None = None
    result: Composite | None = None
    verdict: Verdict | None = None

    @property
    def accepted(self) -> bool:
        """Whether the last attempt passed the judge."""
        return self.verdict is not None and not self.verdict.reason


class Pipeline:
    """Makes the samples of one plan, any of them, in any order. Not for several threads at once."""

    def __init__(
        self,
        plan: Plan,
        device: str = "cpu",
        batch_size: int = BATCH_SIZE,
        cache_bytes: int = CACHE_BYTES,
        shelf: Shelf | None = None,
        *,
        nothing_pasted: bool = False,
    ) -> None:
        """``nothing_pasted`` makes a control: all as ever, but a defect's pixels are the normal ones."""
        self.plan = plan
        self._nothing_pasted = nothing_pasted
        self._device = device
        height, width = plan.preparation.size
        self._batch_size = max(1, min(batch_size, BATCH_PIXELS // (height * width)))
        self._library = PlanLibrary(plan, cache_bytes, shelf)
        self._recorder = Recorder(plan)
        self._weights = [synthesizer.weight for synthesizer in plan.recipe.synthesizers]
        self._order = ImageOrder(plan.recipe, drawn_from(plan))
        self._normal_images = {image.sha256 for image in plan.images}

    def sample(self, index: int) -> Sample:
        """The sample of one index."""
        return next(self.samples([index]))

    def samples(self, indices: Iterable[int]) -> Iterator[Sample]:
        """The samples of the indices, in their order; the batch size changes the speed and nothing else."""
        remaining = iter(indices)
        while batch := list(islice(remaining, self._batch_size)):
            drafts = [self.begin(index) for index in batch]
            complete(drafts, self._device, self._nothing_pasted)
            yield from map(self.finish, drafts)

    def begin(self, index: int) -> Draft:
        """Choose the normal image and the method, and read the image."""
        recipe = self.plan.recipe
        image = self._order.image(index)
        stream = Stream(recipe.seed, index, "choose")
        stays_normal = stream.boolean(recipe.normal_share)
        synthesizer = recipe.synthesizers[stream.weighted(self._weights)]
        scene = self._library.of_sample(index).scene(image.sha256)
        return Draft(recipe, index, image, scene, None if stays_normal else synthesizer)

    def finish(self, draft: Draft) -> Sample:
        """The sample of a completed draft of this plan."""
        facts = self._facts(draft)
        if draft.accepted and draft.result:
            return Sample(facts, draft.result.image, draft.result.mask, draft.scene)
        scene = draft.scene
        return Sample(facts, scene.image, np.zeros(scene.image.shape[:2], np.uint8), scene)

    def _facts(self, draft: Draft) -> Facts:
        scene, recipe = draft.scene, self.plan.recipe
        height, width, channels = scene.image.shape
        pixels = height * width
        common: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "fingerprint": self.plan.fingerprint,
            "seed": recipe.seed,
            "index": draft.index,
            "key": sample_key(draft.index),
            "category": draft.image.category,
            "split": draft.image.split,
            "source_path": draft.image.path,
            "source_sha256": draft.image.sha256,
            "tile": scene.tile,
            "height": height,
            "width": width,
            "channels": channels,
            "attempts": draft.attempts,
            "method": draft.synthesizer.method if draft.synthesizer else "none",
            "product_type": scene.product_type,
            "foreground_area": round(scene.foreground_pixels / pixels, 6),
        }
        if not (draft.accepted and draft.synthesizer and draft.params and draft.verdict and draft.result):
            return Facts(
                **common,
                paired=True,
                label=0,
                outcome="rejected" if draft.synthesizer else "normal",
                reason=draft.verdict.reason if draft.verdict else "",
                strength=0.0,
                strength_name="none",
                box=[0, 0, 0, 0],
                area_pixels=0,
                area=0.0,
                contrast=0.0,
                contrast_mean=0.0,
                contrast_lab=0.0,
                foreground_overlap=0.0,
                params=self._recorder.record(draft.image, None, {}),
            )
        verdict = draft.verdict
        return Facts(
            **common,
            paired=draft.synthesizer.paired,
            label=1,
            outcome="anomalous",
            reason="",
            strength=draft.params.strength,
            strength_name=draft.synthesizer.strength_name,
            box=list(draft.result.box),
            area_pixels=verdict.area_pixels,
            area=round(verdict.area_pixels / pixels, 6),
            contrast=verdict.contrast,
            contrast_mean=verdict.contrast_mean,
            contrast_lab=verdict.contrast_lab,
            foreground_overlap=verdict.foreground_overlap,
            params=self._recorder.record(draft.image, draft.params, self._other_tiles(draft)),
        )

    def _other_tiles(self, draft: Draft) -> dict[str, Tile]:
        """Where the tiles lie in the other normal images that a defect is made of."""
        if draft.scene.tile is None or draft.params is None:
            return {}
        scenes = map(draft.scene.library.scene, sorted(draft.params.needs() & self._normal_images))
        return {scene.sha256: scene.tile for scene in scenes if scene.tile}


def complete(drafts: Sequence[Draft], device: str, nothing_pasted: bool = False) -> None:
    """Draw and make until every defect passes the judge or has used up its attempts.

    Drafts may be of several plans: those of one method and image size are made together.
    ``nothing_pasted`` is a `Pipeline`'s.
    """
    attempt = 0
    while pending := [
        draft
        for draft in drafts
        if draft.synthesizer and not draft.accepted and attempt < draft.recipe.attempts
    ]:
        alike: dict[tuple[type[Synthesizer[Any]], tuple[int, ...]], list[Draft]] = {}
        for draft in pending:
            alike.setdefault((_draw(draft, draft.synthesizer, attempt), draft.scene.image.shape), []).append(
                draft
            )
        for (synthesizer, _), some in alike.items():
            _make(synthesizer, some, device, nothing_pasted)
        attempt += 1


def _draw(draft: Draft, synthesizer: Synthesizer[Any] | None, attempt: int) -> type[Synthesizer[Any]]:
    assert synthesizer
    stream = Stream(draft.recipe.seed, draft.index, synthesizer.method, attempt)
    draft.params = synthesizer.draw(stream, draft.scene)
    draft.attempts = attempt + 1
    return type(synthesizer)


def _make(
    synthesizer: type[Synthesizer[Any]], drafts: Sequence[Draft], device: str, nothing_pasted: bool
) -> None:
    scenes, params = [draft.scene for draft in drafts], [draft.params for draft in drafts]
    for draft, defect in zip(drafts, synthesizer.make(scenes, params, device), strict=True):
        shown = _without_change(draft.scene, defect) if nothing_pasted else defect
        draft.result = synthesizer.compose(draft.scene, shown)
        min_overlap = draft.synthesizer.min_overlap if draft.synthesizer else 0.0
        draft.verdict = (
            judge(draft.result, draft.recipe.min_contrast, min_overlap)
            if synthesizer.paired
            else unjudged(draft.result)
        )


def _without_change(scene: Scene, defect: Defect) -> Defect:
    """A defect whose pixels are those that are there already."""
    height, width = defect.alpha.shape
    there = scene.image[defect.top : defect.top + height, defect.left : defect.left + width]
    return replace(defect, pixels=np.ascontiguousarray(there))

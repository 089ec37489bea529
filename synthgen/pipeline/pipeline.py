"""plan + indices → samples: choose, draw, make, composite, judge."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from synthgen.images.grid import pixels_of
from synthgen.images.preparation import Tile
from synthgen.pipeline.drafts import Draft, complete
from synthgen.pipeline.image_store import CACHE_BYTES, PlanLibrary, Shelf
from synthgen.plan.image_order import ImageOrder, drawn_from
from synthgen.plan.plan import Plan
from synthgen.plan.record import Recorder
from synthgen.sample import FORMAT_VERSION, SHARE_DIGITS, AbnormalityFacts, Facts, Sample, sample_key
from synthgen.streams import Stream

if TYPE_CHECKING:
    from synthgen.pipeline.abnormality import AbnormalityJudge

BATCH_SIZE = 32
BATCH_PIXELS = 2**22
"""Most pixels of a batch's images together: large images are made a few at a time, to bound memory."""


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
        shelf = shelf or Shelf(cache_bytes // 3)
        self._library = PlanLibrary(plan, cache_bytes, shelf)
        self._abnormality_judge: AbnormalityJudge | None = None
        if plan.recipe.judge.abnormal:
            from synthgen.pipeline import abnormality

            self._abnormality_judge = abnormality.AbnormalityJudge(plan, self._library, shelf, device)
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
        return Draft(
            recipe, index, image, scene, None if stays_normal else synthesizer, self._abnormality_judge
        )

    def finish(self, draft: Draft) -> Sample:
        """The sample of a completed draft of this plan."""
        facts = self._facts(draft)
        if draft.accepted and draft.result:
            return Sample(facts, draft.result.image, draft.result.mask, draft.scene, _doubtful(draft))
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
            "abnormality": _abnormality_facts(draft),
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
            params=self._recorder.record(
                draft.image, draft.params, self._other_tiles(draft), draft.kept_cells
            ),
        )

    def _other_tiles(self, draft: Draft) -> dict[str, Tile]:
        """Where the tiles lie in the other normal images that a defect is made of."""
        if draft.scene.tile is None or draft.params is None:
            return {}
        scenes = map(draft.scene.library.scene, sorted(draft.params.needs() & self._normal_images))
        return {scene.sha256: scene.tile for scene in scenes if scene.tile}


def _doubtful(draft: Draft) -> npt.NDArray[np.bool_] | None:
    if not (draft.examined and draft.result):
        return None
    left, top, right, bottom = draft.result.box
    doubtful = draft.result.mask > 0
    doubtful[top:bottom, left:right] &= ~pixels_of(draft.examined.beyond, draft.result.box)
    return doubtful


def _abnormality_facts(draft: Draft) -> AbnormalityFacts | None:
    if draft.abnormality_judge is None:
        return None
    examined = draft.examined if draft.accepted else None
    return AbnormalityFacts(
        share=round(examined.abnormality.share, SHARE_DIGITS) if examined else 0.0,
        excess=round(examined.abnormality.excess, 4) if examined else 0.0,
        abnormal=bool(examined and examined.is_abnormal),
        looked_normal=draft.looked_normal,
    )

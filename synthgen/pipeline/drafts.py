"""Samples in the making: draw, make, composite and judge, until every defect is what its recipe asks for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgen.defect import LOOKS_NORMAL, Composite, Defect, Verdict, cut_down, judge, unjudged
from synthgen.images.grid import pixels_of, text_of
from synthgen.recipe.recipe import Recipe
from synthgen.scene import Scene
from synthgen.sources.records import NormalImage
from synthgen.streams import Stream
from synthgen.synthesizers.base import Params, Synthesizer

if TYPE_CHECKING:
    from synthgen.pipeline.abnormality import AbnormalityJudge, Examined


@dataclass(slots=True)
class Draft:
    """A sample in the making."""

    recipe: Recipe
    index: int
    image: NormalImage
    scene: Scene
    synthesizer: Synthesizer[Any] | None
    abnormality_judge: "AbnormalityJudge | None" = None
    attempts: int = 0
    params: Params | None = None
    result: Composite | None = None
    verdict: Verdict | None = None
    examined: "Examined | None" = None
    kept_cells: str = ""
    looked_normal: list[str] = field(default_factory=list)
    """The methods of the attempts that were rejected as good products."""

    @property
    def accepted(self) -> bool:
        """Whether the last attempt passed the judge."""
        return self.verdict is not None and not self.verdict.reason


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
        _require_abnormal([draft for draft in pending if draft.accepted])
        attempt += 1


def _draw(draft: Draft, synthesizer: Synthesizer[Any] | None, attempt: int) -> type[Synthesizer[Any]]:
    assert synthesizer
    if draft.verdict and draft.verdict.reason == LOOKS_NORMAL:
        # Another method may make what is no good product here.
        chosen = Stream(draft.recipe.seed, draft.index, "choose again", attempt)
        weights = [each.weight for each in draft.recipe.synthesizers]
        synthesizer = draft.synthesizer = draft.recipe.synthesizers[chosen.weighted(weights)]
    draft.examined, draft.kept_cells = None, ""
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
            judge(draft.result, draft.recipe.judge.min_contrast, min_overlap)
            if synthesizer.paired
            else unjudged(draft.result)
        )


def _without_change(scene: Scene, defect: Defect) -> Defect:
    """A defect whose pixels are those that are there already."""
    height, width = defect.alpha.shape
    there = scene.image[defect.top : defect.top + height, defect.left : defect.left + width]
    return replace(defect, pixels=np.ascontiguousarray(there))


def _require_abnormal(drafts: Sequence[Draft]) -> None:
    """Of defects that pass the judge, reject those that look like good products, as their recipes say."""
    by_judge: dict[int, list[Draft]] = {}
    for draft in drafts:
        if draft.abnormality_judge:
            by_judge.setdefault(id(draft.abnormality_judge), []).append(draft)
    for alike in by_judge.values():
        abnormality_judge = alike[0].abnormality_judge
        assert abnormality_judge
        _examine(alike, abnormality_judge)
        if abnormality_judge.otherwise == "clip":
            cut = [draft for draft in alike if _was_cut_down(draft)]
            _examine([draft for draft in cut if draft.accepted], abnormality_judge)
        if abnormality_judge.otherwise != "report":
            for draft in alike:
                _reject_normal(draft)


def _examine(drafts: Sequence[Draft], abnormality_judge: "AbnormalityJudge") -> None:
    for draft, examined in zip(drafts, abnormality_judge.examine(drafts), strict=True):
        draft.examined = examined


def _was_cut_down(draft: Draft) -> bool:
    """Cut a defect down to its cells beyond normal variation, where others are in it, too."""
    assert draft.result and draft.examined and draft.synthesizer and draft.verdict
    if not draft.synthesizer.paired:
        return False
    part = cut_down(draft.result, pixels_of(draft.examined.beyond, draft.result.box))
    if len(part.after) == len(draft.result.after):
        return False
    found = judge(part, draft.recipe.judge.min_contrast, 0.0)
    draft.result, draft.kept_cells = part, text_of(draft.examined.beyond)
    draft.verdict = replace(found, foreground_overlap=draft.verdict.foreground_overlap)
    return True


def _reject_normal(draft: Draft) -> None:
    """Reject a defect that is not abnormal, or of which nothing that shows was left."""
    assert draft.examined and draft.synthesizer and draft.verdict
    if not (draft.accepted and draft.examined.is_abnormal):
        draft.verdict = replace(draft.verdict, reason=LOOKS_NORMAL)
        draft.looked_normal.append(draft.synthesizer.method)

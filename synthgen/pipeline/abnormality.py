"""The judge of abnormality: whether a defect is beyond what the good products of its plan look like."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

from synthgen.defect import Composite
from synthgen.images.grid import Cells, touched
from synthgen.normality.abnormality import Abnormality
from synthgen.normality.examination import Subject, examine
from synthgen.normality.memory import NormalMemory
from synthgen.pipeline.image_store import PlanLibrary, Shelf
from synthgen.pipeline.normal_memory import NormalMemories
from synthgen.plan.plan import Plan
from synthgen.scene import Scene
from synthgen.synthesizers.base import Synthesizer


class Examined(NamedTuple):
    """What was found of a composite."""

    abnormality: Abnormality
    is_abnormal: bool
    beyond: Cells
    """Of the cells that its box touches, those beyond normal variation, (rows, columns)."""


class Question(Protocol):
    """A composite to look at, as a draft of a sample is one."""

    @property
    def scene(self) -> Scene:
        """What it was made of."""

    @property
    def result(self) -> Composite | None:
        """The composite; it is there."""

    @property
    def synthesizer(self) -> Synthesizer[Any] | None:
        """Of the method that made it; it is there."""


class AbnormalityJudge:
    """Looks at the composites of one plan; each comes to the same, whichever are looked at together."""

    def __init__(self, plan: Plan, library: PlanLibrary, shelf: Shelf, device: str) -> None:
        assert plan.recipe.judge.abnormal
        self.otherwise: Literal["redraw", "clip", "report"] = plan.recipe.judge.abnormal.otherwise
        self._min_share = plan.recipe.judge.abnormal.min_share
        self._network = shelf.cell_network(device)
        self._stored = NormalMemories(plan, library)
        self._memories: dict[str, NormalMemory] = {}

    def examine(self, questions: Sequence[Question]) -> list[Examined]:
        """Look at some composites. Raises RunError where what is normal is not what the plan pinned."""
        subjects = []
        for question in questions:
            assert question.result
            memory, result = self._memory(question.scene.category), question.result
            subjects.append(Subject(memory, result.image, result.mask, result.box))
        found = []
        for question, subject, finding in zip(
            questions, subjects, examine(self._network, subjects), strict=True
        ):
            assert question.synthesizer
            share = finding.abnormality.share
            is_abnormal = (
                share >= self._min_share
                if question.synthesizer.paired
                else share > subject.memory.image_share
            )
            found.append(Examined(finding.abnormality, is_abnormal, finding.beyond[touched(subject.box)]))
        return found

    def _memory(self, category: str) -> NormalMemory:
        if category not in self._memories:
            self._memories[category] = self._stored.memory(category).to(self._network.device)
        return self._memories[category]

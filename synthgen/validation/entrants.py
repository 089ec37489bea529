"""What takes part in a validation: recipes, references, and the control, each with what learns from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from synthgen.detectors.base import Detector
from synthgen.detectors.choice import DetectorChoice
from synthgen.detectors.common.backbones import BackboneName
from synthgen.validation.feature_distance import FeatureDistance
from synthgen.validation.protocol import (
    CONTROL,
    CORESET,
    LEARNER,
    NOISE,
    SECOND_LEARNER,
    UNTRAINED,
    Budget,
)
from synthgen.validation.report import Role


@dataclass(frozen=True)
class Entrant:
    """One row of the table: a way to fit a detector."""

    name: str
    role: Role
    learner: str
    """The detector's method."""
    recipe: str | None = None
    """What it learns from, by name; None for normal images alone."""
    uses_seed: bool = True
    """Whether another seed gives another fit."""

    @property
    def key(self) -> str:
        """Its name as part of a file's name."""
        return f"{self.learner}.{self.name}".replace(" ", "-")


@dataclass(frozen=True)
class Network:
    """The frozen network that all detectors look through."""

    backbone: BackboneName | None
    weights: str
    device: str


def entrants(recipes: Sequence[str], references: Sequence[str], budget: Budget) -> list[Entrant]:
    """Everything that is fitted: ``references`` are those recipes that nobody asked for."""
    roles: Mapping[str, Role] = {
        **dict.fromkeys(recipes, "recipe"),
        **dict.fromkeys(references, "reference"),
        CONTROL: "control",
    }
    learners = (LEARNER, SECOND_LEARNER) if budget.second_learner else (LEARNER,)
    learned = [
        Entrant(name, role, learner, name)
        for learner in learners
        for name, role in roles.items()
        if learner == LEARNER or role != "control"
    ]
    unlearned = [
        Entrant("PaDiM", "reference", "padim"),
        Entrant("PatchCore", "reference", "patchcore"),
        Entrant(UNTRAINED, "reference", UNTRAINED),
        Entrant(NOISE, "reference", LEARNER),
    ]
    return [*unlearned, *learned]


def fitted_once(entrant: Entrant, budget: Budget, side: int, network: Network) -> Entrant:
    """The entrant, which says whether its fit depends on the seed."""
    if entrant.recipe:
        return entrant
    return replace(entrant, uses_seed=detector_of(entrant, budget, side, network).uses_seed)


def detector_of(entrant: Entrant, budget: Budget, side: int, network: Network) -> Detector:
    """The detector that is to be fitted. Raises InputError and RunError as `DetectorChoice.make` does."""
    size = {"image_size": side}
    settings: dict[str, dict[str, Any]] = {
        LEARNER: {
            **size,
            "samples": budget.samples,
            "steps": budget.steps,
            "anomalies": "recipe" if entrant.recipe else "none",
        },
        "patchcore": {**size, "coreset": CORESET},
    }
    method = "padim" if entrant.learner == UNTRAINED else entrant.learner
    chosen = DetectorChoice(
        method, settings.get(method, size), network.backbone, network.weights, network.device
    )
    made = chosen.make()
    if entrant.learner != UNTRAINED:
        return made
    assert made.backbone
    return FeatureDistance(made.settings, made.backbone, made.device)

"""Trying the methods of a first recipe on some of its images, so that it proposes none that would fail."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from synthgen.defect import judge
from synthgen.images.pixels import Pixels
from synthgen.recipe.judge import JudgeRules
from synthgen.recipe.proposed_methods import Offer
from synthgen.regions.foreground_rule import ForegroundRule, apply
from synthgen.runtime.progress import Progress
from synthgen.scene import Library, Scene
from synthgen.streams import Stream
from synthgen.synthesizers.base import Synthesizer
from synthgen.synthesizers.registry import SYNTHESIZERS

MOST_SCENES = 8
TRIES = 16
ENOUGH = 3
"""Defects of 16 tries that must be visible: of 50 attempts at a sample nearly always one is, then."""


class Trial:
    """Normal images with their foregrounds, on which methods are tried."""

    def __init__(self) -> None:
        self._scenes: dict[str, Scene] = {}

    def add(self, category: str, rule: ForegroundRule, images: Sequence[Pixels]) -> None:
        """Take some prepared images (H, W, C) uint8 of a category, eight of all categories at most."""
        for image in images[:2] if self._scenes else images:
            if len(self._scenes) < MOST_SCENES:
                name = str(len(self._scenes))
                self._scenes[name] = Scene(
                    name, category, rule.product_type, image, apply(rule, image), cast(Library, self)
                )

    def scene(self, sha256: str) -> Scene:
        """One of the images, by the name that it has here."""
        return self._scenes[sha256]

    def peers(self, category: str) -> list[str]:
        """The names of the images of one category."""
        return [name for name, scene in self._scenes.items() if scene.category == category]

    def of(self, offers: Sequence[Offer], progress: Progress) -> list[Offer]:
        """The offers, with a reason not to use those whose defects can hardly ever be seen."""
        tried = []
        for number, offer in enumerate(offers, 1):
            tried.append(self._tried(offer))
            progress(number, len(offers))
        return tried

    def _tried(self, offer: Offer) -> Offer:
        how = SYNTHESIZERS[offer.method].model_validate({"method": offer.method, **offer.fields})
        if how.collections() or not offer.used:  # textures are unlike any product, and are not at hand here
            return offer
        reasons = Counter(self._attempt(how, number) for number in range(TRIES))
        seen = reasons.pop("", 0)
        if seen >= ENOUGH:
            return offer
        most = max(reasons, key=lambda reason: reasons[reason])
        return replace(offer, why_not=f"Left out: {seen} of {TRIES} tries made a defect that shows ({most}).")

    def _attempt(self, how: Synthesizer[Any], number: int) -> str:
        """Why one attempt fails, or nothing."""
        scene = self._scenes[str(number % len(self._scenes))]
        params = how.draw(Stream(0, number, how.method), scene)
        (defect,) = how.make([scene], [params], "cpu")
        return judge(how.compose(scene, defect), JudgeRules().min_contrast, how.min_overlap).reason

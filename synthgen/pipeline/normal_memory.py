"""A plan's memories of normal, one of each category: made of its good images, kept in the user's cache."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from operator import itemgetter

import torch
from pydantic import ValidationError
from safetensors.torch import load, save
from torch import Tensor

from synthgen.errors import InputError, RunError
from synthgen.images.pixels import Pixels
from synthgen.normality.examination import points_of
from synthgen.normality.memory import NormalMemory
from synthgen.normality.network import CellNetwork, network_sha256
from synthgen.normality.pinned import PinnedMemory, enough_images
from synthgen.pipeline.good_products import Good, GoodProducts
from synthgen.pipeline.image_store import PlanLibrary
from synthgen.plan.plan import Plan
from synthgen.recipe.judge import AbnormalRule
from synthgen.runtime.progress import Stages, silent
from synthgen.runtime.threads import one_torch_thread
from synthgen.storage.cache import cached, keep

VERSION = 1
"""Changes with everything that would change a memory of the same images."""
KIND = "normality"
REPEATED = 0.01
"""Standard deviations: nearer are only cells that repeat each other, but for rounding."""


class NormalMemories:
    """What the good products of a plan look like, by category.

    Raises InputError where there are too few good images, or where they have no variation; RunError where a
    memory is not the one that the plan pinned.
    """

    def __init__(self, plan: Plan, library: PlanLibrary, progress: Stages = silent) -> None:
        assert plan.recipe.judge.abnormal
        self._plan, self._progress = plan, progress
        self._goods = GoodProducts(plan, library)
        self._rule: AbnormalRule = plan.recipe.judge.abnormal

    def pinned(self) -> dict[str, PinnedMemory]:
        """What is to be pinned of each."""
        return {category: self._found(category)[1] for category in self._goods.images}

    def memory(self, category: str) -> NormalMemory:
        """The memory of a category, as it was pinned."""
        pinned = self._plan.normality[category]
        if kept := kept_memory(pinned):
            return kept
        memory, found = self._found(category)
        if found != pinned:
            raise RunError(
                f"judge.abnormal: what good products of {category} look like came out otherwise than in the "
                "plan, as with other library versions or on another kind of processor; start in a new "
                "directory, or work where the plan was made"
            )
        return memory

    def _found(self, category: str) -> tuple[NormalMemory, PinnedMemory]:
        name = f"{self._key(category)}.json"
        with suppress(ValidationError):
            pinned = PinnedMemory.model_validate_json(cached(KIND, name) or b"")
            if kept := kept_memory(pinned):
                return kept, pinned
        memory, images = self._made(category)
        tensors = _packed(memory)
        pinned = PinnedMemory(
            sha256=sha256(tensors).hexdigest(),
            network=network_sha256(),
            images=images,
            threshold=memory.threshold,
            image_share=memory.image_share,
        )
        keep(KIND, pinned.sha256, tensors)
        keep(KIND, name, pinned.model_dump_json().encode())
        return memory, pinned

    def _made(self, category: str) -> tuple[NormalMemory, int]:
        """The memory of a category, and how many good products it remembers."""
        learned, held_out = self._goods.split(category, self._rule.quantile)
        total = len(learned) + len(held_out)
        stage = self._progress(f"learning what a good {category} looks like", "images")
        with stage as report, torch.inference_mode(), one_torch_thread():
            seen = self._points(learned, lambda done: report(done, total))
            others = self._points(held_out, lambda done: report(len(learned) + done, total))
            memory = NormalMemory.of(seen, len(learned), others, self._rule.quantile)
        if memory.threshold.value < REPEATED:
            raise InputError(
                f"judge.abnormal: the good images of {category} are all alike, so that nothing can be "
                "learned of their variation; give photographs, or leave judge.abnormal out"
            )
        return memory, len(learned)

    def _points(self, goods: Sequence[Good], report: Callable[[int], None]) -> Iterator[Tensor]:
        """The cells (M, C) of each good product that shows any foreground. Raises InputError if none does."""
        owners: list[int] = []

        def parts() -> Iterator[tuple[Pixels, Pixels]]:
            for number, good in enumerate(goods):
                for part in self._goods.parts(good):
                    owners.append(number)
                    yield part

        # An owner is known once its part was seen.
        every = zip(points_of(self._network, parts()), owners, strict=False)
        shows_any = False
        for number, own in groupby(every, key=itemgetter(1)):
            cells = torch.cat([points for points, _ in own])
            report(number + 1)
            if len(cells):
                shows_any = True
                yield cells
        if not shows_any:
            raise InputError(
                f"judge.abnormal: the good images of {goods[0][0].category} show no product by the rule of "
                "their foreground; set foreground: all, or leave judge.abnormal out"
            )

    def _key(self, category: str) -> str:
        """Hash of all that decides a memory."""
        decided = {
            "version": VERSION,
            "network": network_sha256(),
            "quantile": self._rule.quantile,
            "preparation": self._plan.preparation.model_dump(mode="json"),
            "foreground": self._plan.foreground[category].model_dump(mode="json", exclude={"reason"}),
            "images": [
                [image.sha256, image.split, image.foreground_mask.sha256 if image.foreground_mask else ""]
                for image in self._goods.images[category]
            ],
        }
        return sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _network(self) -> CellNetwork:
        return CellNetwork()


def kept_memory(pinned: PinnedMemory) -> NormalMemory | None:
    """The memory that was pinned, where this user's cache has it and the network is the same."""
    tensors = cached(KIND, pinned.sha256)
    if tensors is None or sha256(tensors).hexdigest() != pinned.sha256 or pinned.network != network_sha256():
        return None
    found = load(tensors)
    return NormalMemory(
        found["cells"], found["mean"], found["whitening"], pinned.threshold, pinned.image_share
    )


def promise_notes(pinned: Mapping[str, PinnedMemory]) -> list[str]:
    """What a person should know of the promise of memories by their categories, a sentence for each."""
    return [
        f"judge.abnormal: of {category} {each.threshold.images} good images are held out; with fewer than "
        f"{enough} the threshold of normal variation lies high, so that more defects look normal than are"
        for category, each in pinned.items()
        if each.threshold.images < (enough := enough_images(each.threshold.quantile))
    ]


def _packed(memory: NormalMemory) -> bytes:
    tensors = {"cells": memory.cells, "mean": memory.mean, "whitening": memory.whitening}
    return save({name: tensor.contiguous() for name, tensor in tensors.items()})

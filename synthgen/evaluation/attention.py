"""Whether a network looks where the change is: attention on pairs of good products and their copies."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgen.detectors.choice import DetectorChoice
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.backbones import BackboneName, load_backbone
from synthgen.errors import InputError
from synthgen.evaluation.attention_maps import attention, shares_inside
from synthgen.evaluation.attention_sheet import SHOWN, Looked, Shown, attention_sheet
from synthgen.evaluation.metrics.bootstrap import LEVEL, Estimate, Times
from synthgen.evaluation.metrics.clusters import cluster_times
from synthgen.pipeline.anomaly_source import images_tensor
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.image_order import ImageOrder, drawn_from
from synthgen.plan.plan import Plan
from synthgen.pretraining.record import read_record, weights_named
from synthgen.recipe.files import load_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.devices import chosen_device
from synthgen.runtime.extras import require_extra
from synthgen.runtime.progress import Stages, silent
from synthgen.sample import Sample
from synthgen.shards.reader import open_directory, read_plan
from synthgen.sources.named import named_source
from synthgen.storage.output import OutputDirectory, explained
from synthgen.storage.place import is_url, local_path
from synthgen.streams import Stream

STAGES = (1, 2, 3)
PAIRS = 200
SIDE = 256
BATCH = 8
REPORT, PICTURE = "attention.json", "attention.png"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AttentionReport:
    """How much of a network's attention lies in the masks."""

    backbone: str
    weights: str
    plan: str
    """Fingerprint of the plan whose samples were looked at."""
    sources: tuple[str, ...]
    """Of each pair, sha256 of the good product."""
    areas: Floats
    """Of each pair, the mask's share of the image, (N,)."""
    shares: dict[str, Floats]
    """Of each pair, the share of the attention inside the mask, (N,), by the map's name."""

    def times_area(self) -> dict[str, Estimate]:
        """By map, the mean share inside as a multiple of the masks' mean share of the area.

        1 is what looking everywhere alike gives. The interval is for other good products: all pairs of one
        are drawn together.
        """
        drawn = cluster_weights(self.sources)
        return {name: ratio(share, self.areas, drawn) for name, share in self.shares.items()}

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        found = self.times_area()
        return {
            "backbone": self.backbone,
            "weights": self.weights,
            "plan": self.plan,
            "pairs": len(self.areas),
            "sources": len(set(self.sources)),
            "area": float(self.areas.mean()),
            "maps": {
                name: {"share": float(share.mean()), "times_area": found[name]._asdict()}
                for name, share in self.shares.items()
            },
            "of_pairs": {
                "source": list(self.sources),
                "area": self.areas.tolist(),
                **{name: share.tolist() for name, share in self.shares.items()},
            },
        }


def attention_of(
    weights: str | Path,
    pairs_from: str | Path,
    out: str | Path | None = None,
    *,
    source: str | Path | None = None,
    categories: Sequence[str] | None = None,
    backbone: BackboneName | None = None,
    pairs: int = PAIRS,
    side: int = SIDE,
    device: str = "auto",
    progress: Stages = silent,
) -> AttentionReport:
    """Measure whether a network looks where a good product and its changed copy differ.

    ``weights`` is a file, ``imagenet`` or ``random``; ``pairs_from`` a directory of shards, whose samples of
    held-out good products are looked at, or a recipe, which makes ``pairs`` of those of ``source`` at
    ``side`` pixels. ``out`` is a directory for the numbers and a sheet of pictures. Raises InputError for
    what cannot be used.
    """
    require_extra("detectors", "a backbone")
    network = _network(str(weights), backbone).to(chosen_device(device))
    place = str(pairs_from)
    plan = _plan(place, source=source, categories=categories, pairs=pairs, side=side, progress=progress)
    directory = None if out is None else OutputDirectory(str(out))
    if directory:
        directory.create()
    looked: list[Looked] = []
    shown: list[Shown] = []
    with progress("looking at pairs", "pairs") as report:
        samples = _pairs(plan, pairs)
        while some := list(islice(samples, BATCH)):
            maps = _maps(network, some)
            looked += _look(some, maps)
            shown += _shown(some, maps)[: max(0, SHOWN - len(shown))]
            report(len(looked), pairs)
    if not looked:
        raise InputError(
            f"{place}: no pair of a held-out good product was made; give a recipe whose defects show"
        )
    found = AttentionReport(
        network.name,
        weights_named(str(weights)),
        plan.fingerprint,
        tuple(each.source for each in looked),
        np.array([each.area for each in looked]),
        {name: np.array([each.shares[name] for each in looked]) for name in looked[0].shares},
    )
    if directory:
        sheet = attention_sheet(looked[:SHOWN], shown, f"{found.backbone}, {found.weights}")
        with explained(str(out)):
            directory.write(PICTURE, sheet)
            directory.write(REPORT, (json.dumps(found.as_json(), indent=1) + "\n").encode())
    return found


def cluster_weights(sources: Sequence[str]) -> Times:
    """How often each pair is drawn in each resample, (RESAMPLES, N); all of one source together."""
    return cluster_times(sources, np.ones(len(sources), np.bool_), Stream(0, 0, "bootstrap/attention"))


def ratio(shares: Floats, areas: Floats, drawn: Times) -> Estimate:
    """Mean share over mean area, with its percentile interval over the resamples ``drawn`` (R, N)."""
    outside = (1 - LEVEL) / 2
    low, high = np.quantile((drawn @ shares) / (drawn @ areas), [outside, 1 - outside])
    return Estimate(float(shares.mean() / areas.mean()), float(low), float(high))


def _maps(network: Backbone, samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The maps (B, h, w) of some samples, on the CPU."""
    normals, images = (
        images_tensor(pixels).to(network.mean.device)
        for pixels in ([each.normal for each in samples], [each.image for each in samples])
    )
    return {name: found.cpu() for name, found in attention(network, normals, images).items()}


def _look(samples: Sequence[Sample], maps: Mapping[str, Tensor]) -> list[Looked]:
    masks = torch.from_numpy(np.stack([sample.mask > 0 for sample in samples]))
    inside = {name: shares_inside(found, masks).tolist() for name, found in maps.items()}
    return [
        Looked(
            sample.facts.source_sha256,
            float((sample.mask > 0).mean()),
            {name: shares[number] for name, shares in inside.items()},
        )
        for number, sample in enumerate(samples)
    ]


def _shown(samples: Sequence[Sample], maps: Mapping[str, Tensor]) -> list[Shown]:
    return [
        Shown(each.normal, each.image, each.mask, {name: found[n].numpy() for name, found in maps.items()})
        for n, each in enumerate(samples)
    ]


def _pairs(plan: Plan, count: int) -> Iterator[Sample]:
    """The first samples with a defect that are made of held-out good products."""
    order = ImageOrder(plan.recipe, drawn_from(plan))
    indices = (number for number in range(plan.recipe.count) if order.image(number).split == "held-out")
    samples = Pipeline(plan, batch_size=BATCH).samples(indices)
    return islice((sample for sample in samples if sample.facts.label and sample.facts.paired), count)


def _network(weights: str, backbone: BackboneName | None) -> Backbone:
    """The backbone up to stage 3, or to the last stage that was pre-trained."""
    path = local_path(weights)
    record = read_record(path) if path.is_file() else None
    stages = STAGES[: record.stage] if record else STAGES
    chosen = backbone or (record.backbone if record else None)
    return load_backbone(DetectorChoice("padim", {}, chosen, weights).network, weights, stages)


def _plan(
    place: str,
    *,
    source: str | Path | None,
    categories: Sequence[str] | None,
    pairs: int,
    side: int,
    progress: Stages,
) -> Plan:
    """That of a directory of shards, or of a recipe's pairs; it has held-out good products."""
    if categories and source is None:
        raise InputError("--categories: are those of --source; give one, or leave them out")
    if is_url(place) or local_path(place).is_dir():
        if source is not None:
            raise InputError(f"{place}: is a directory of shards, which have a source; leave --source out")
        plan = read_plan(open_directory(place))
    else:
        recipe = _recipe_of_pairs(place, pairs, side)
        if source is not None:
            recipe = recipe.model_copy(update={"source": named_source(str(source), categories)})
        plan = freeze(recipe, progress)
    if all(image.split != "held-out" for image in drawn_from(plan)):
        raise InputError(
            f"{place}: no sample is of a held-out image, and others may have been trained on; generate with "
            "--set split=held-out"
        )
    return plan


def _recipe_of_pairs(place: str, pairs: int, side: int) -> Recipe:
    """A recipe that makes pairs of held-out good products alone."""
    whole = load_recipe(place)
    if unpaired := [each.method for each in whole.synthesizers if not each.paired]:
        raise InputError(
            f"recipe {whole.name}: {unpaired[0]} makes whole images that have no good product beside them; "
            "take a recipe without it"
        )
    own = [f"size=[{side}, {side}]", f"count={pairs}", "resize=whole", "split=held-out", "normal_share=0"]
    return load_recipe(place, own)

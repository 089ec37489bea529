"""Making the samples of a recipe to look at, and keeping them in the workspace."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from synthgen.images.pixels import Pixels
from synthgen.pipeline.anomaly_source import PlanAnomalies, anomalies_on
from synthgen.recipe.recipe import Recipe
from synthgen.validation.product import Normals
from synthgen.validation.samples import SampleSet
from synthgen.validation.workspace import Workspace


def anomalies_of(
    recipe: Recipe,
    normals: Normals,
    seed: int,
    category: str,
    *,
    nothing_pasted: bool = False,
    learned: Normals | None = None,
) -> PlanAnomalies:
    """What a recipe makes of normal images, each of which it takes as often as any other.

    ``learned`` are those that tell what is normal, where the recipe asks for it; else ``normals`` do. Raises
    InputError as `anomalies_on` does.
    """
    others = list(learned.images) if learned else []
    return anomalies_on(
        list(normals.images), recipe, seed, category, nothing_pasted=nothing_pasted, others=others
    )


def sample_set(anomalies: PlanAnomalies, normals: Normals, count: int) -> SampleSet:
    """The first ``count`` samples; ``normals`` are those that they are made of."""
    samples = list(anomalies.samples(count))
    # An upload is named by its position.
    origins = [int(sample.facts.source_path.rpartition(".")[2]) for sample in samples]
    return SampleSet(
        _pixels([sample.image for sample in samples]),
        np.stack([sample.mask > 0 for sample in samples]),
        _pixels([sample.normal for sample in samples]),
        tuple(normals.sha256s[origin] for origin in origins),
        tuple(sample.facts.method for sample in samples),
        np.array([sample.facts.strength for sample in samples]),
        np.array([sample.facts.area for sample in samples]),
        np.array([sample.facts.contrast for sample in samples]),
    )


def keep(name: str, samples: SampleSet, workspace: Workspace) -> None:
    """Write a set; its images last, which say that it is whole."""
    for field in fields(samples):
        if field.name != "images":
            workspace.write(f"{name}.{field.name}", np.array(getattr(samples, field.name)))
    workspace.write(f"{name}.images", samples.images)


def kept(name: str, workspace: Workspace) -> SampleSet:
    """A set that was written."""
    return SampleSet(
        images=workspace.images(name),
        masks=workspace.read(f"{name}.masks"),
        normals=workspace.read(f"{name}.normals"),
        sources=tuple(map(str, workspace.read(f"{name}.sources"))),
        methods=tuple(map(str, workspace.read(f"{name}.methods"))),
        strengths=workspace.read(f"{name}.strengths"),
        areas=workspace.read(f"{name}.areas"),
        contrasts=workspace.read(f"{name}.contrasts"),
    )


def _pixels(images: Sequence[Pixels]) -> Pixels:
    """(N, H, W, 3): a grey image has the same value in all three channels."""
    stacked = np.stack(images)
    return np.ascontiguousarray(np.broadcast_to(stacked, (*stacked.shape[:3], 3)))

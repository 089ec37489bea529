"""The dataset: the pipeline's samples as tensors, in one process and in the workers of a loader."""

import pickle
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

import synthgen
from synthgen.pipeline.dataset import AnomalyDataset
from synthgen.plan.plan import Plan
from synthgen.sample import Sample
from tests.recipes import small_recipe


def assert_same(item: dict[str, Any], sample: Sample) -> None:
    """Image, normal image, mask, label, key, method and strength are those of the sample."""
    for name in ("image", "normal"):
        assert np.array_equal(item[name].numpy().transpose(1, 2, 0), getattr(sample, name))
    assert np.array_equal(item["mask"].numpy()[0] * 255, sample.mask)
    facts = sample.facts
    assert (int(item["label"]), item["key"], item["method"]) == (facts.label, facts.key, facts.method)
    assert item["strength"] == pytest.approx(facts.strength)


@pytest.mark.parametrize("start_method", ["fork", "forkserver", "spawn"])
def test_workers_started_in_any_way_make_the_samples_of_the_pipeline(
    plan: Plan, samples: list[Sample], start_method: str
) -> None:
    """Of a dataset that was used before, and so has a pipeline of its own that must stay at home."""
    dataset = AnomalyDataset(plan)
    assert_same(dataset[0], samples[0])
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=start_method)
    for item, sample in zip(loader, samples, strict=True):
        assert_same(item, sample)


def test_batches_are_those_of_a_loader_that_collates(plan: Plan, samples: list[Sample]) -> None:
    made = 0
    for batch in DataLoader(AnomalyDataset(plan), batch_size=5):
        for place in range(len(batch["key"])):
            assert_same({name: values[place] for name, values in batch.items()}, samples[made])
            made += 1
    assert made == len(samples)


def test_plans_and_datasets_can_be_pickled_after_use(plan: Plan, samples: list[Sample]) -> None:
    dataset = AnomalyDataset(plan)
    assert_same(dataset[5], samples[5])
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert pickle.loads(pickle.dumps(plan)).fingerprint == plan.fingerprint
    assert_same(pickle.loads(pickle.dumps(dataset))[7], samples[7])


def test_the_dataset_ends() -> None:
    dataset = AnomalyDataset(synthgen.freeze(small_recipe(count=2)))
    assert len([item["key"] for item in dataset]) == 2  # type: ignore[attr-defined]
    for index in (-1, 2):
        with pytest.raises(IndexError, match=f"the plan has 2 samples, and {index} was asked for"):
            dataset[index]

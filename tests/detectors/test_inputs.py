"""Samples with anomalies are checked on their way to a method."""

from collections.abc import Iterator

import pytest
import torch

from synthgen.detectors.inputs import AnomalyBatch, CheckedAnomalies
from synthgen.errors import InputError, RunError
from tests.detectors.images import SIZE, Spots, normal_images
from tests.detectors.methods import message


class Changed(Spots):
    """Samples of which something is replaced."""

    def __init__(self, **changed: object) -> None:
        super().__init__(normal_images(3))
        self.changed = changed

    def batches(self, size: int, count: int, first: int = 0) -> Iterator[AnomalyBatch]:
        for batch in super().batches(size, count, first):
            yield batch._replace(**self.changed)


GOOD = Spots(normal_images(3))


def test_good_samples_come_through() -> None:
    checked = CheckedAnomalies(GOOD, "method", SIZE)
    assert checked.methods == ("bright", "dark")
    for ours, theirs in zip(checked.batches(2, 5, 3), GOOD.batches(2, 5, 3), strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.masks, theirs.masks)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"images": torch.full((2, 3, SIZE, SIZE), 2.0)}, "image 4 has pixels from 2 to 2"),
        ({"normals": torch.zeros(2, 3, SIZE, 8)}, "images are (2, 3, 64, 8) torch.float32; method expects"),
        ({"masks": torch.zeros(2, SIZE, SIZE)}, "masks are (2, 64, 64) torch.float32; method expects"),
        ({"masks": torch.zeros(2, SIZE, 8, dtype=torch.bool)}, "masks are (2, 64, 8) torch.bool; method"),
        ({"methods": ("bright",)}, "a batch of 2 samples has 2 normal images and the methods of 1"),
        ({"methods": ("bright", "red")}, "a sample is of the method 'red', which is none of bright, dark"),
    ],
)
def test_wrong_samples_are_refused(changed: dict[str, object], told: str) -> None:
    with pytest.raises(InputError) as error:
        list(CheckedAnomalies(Changed(**changed), "method", SIZE).batches(2, 2, 4))
    assert told in message(error)


class TooFew(Spots):
    def batches(self, size: int, count: int, first: int = 0) -> Iterator[AnomalyBatch]:
        yield self.batch(range(first, first + 1))


def test_another_number_of_samples_is_noticed() -> None:
    with pytest.raises(RunError, match="asked for 2 samples with anomalies and was given 1"):
        list(CheckedAnomalies(TooFew(normal_images(3)), "method", SIZE).batches(2, 2))

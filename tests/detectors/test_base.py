"""The base class keeps its promises for a method that breaks them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from synthgen.detectors.base import DetectorSettings, Fitting, State
from synthgen.detectors.registry import save_detector
from synthgen.errors import RunError
from tests.detectors.images import SIZE, Images, no_progress, normal_images
from tests.detectors.methods import message
from tests.detectors.pixel_statistics import PixelStatistics

SETTINGS = DetectorSettings(image_size=SIZE)
CPU = torch.device("cpu")
SCORES, MAPS = torch.zeros(1), torch.zeros(1, SIZE, SIZE)


class Faulty(PixelStatistics):
    """Returns what it is given to return."""

    learned: State
    scored: tuple[Tensor, Tensor]

    def _fit(self, fitting: Fitting) -> State:
        return {**super()._fit(fitting), **self.learned}

    def _score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.scored


def faulty(scored: tuple[Tensor, Tensor] = (SCORES, MAPS), **learned: Tensor) -> Faulty:
    result = Faulty(SETTINGS, CPU)
    result.learned, result.scored = learned, scored
    return result


@pytest.mark.parametrize(
    ("scores", "maps", "found"),
    [
        (SCORES[None], MAPS, f"scores (1, 1) torch.float32 and maps (1, {SIZE}, {SIZE}) torch.float32"),
        (SCORES[0], MAPS, f"scores () torch.float32 and maps (1, {SIZE}, {SIZE}) torch.float32"),
        (SCORES, MAPS[0], f"scores (1,) torch.float32 and maps ({SIZE}, {SIZE}) torch.float32"),
        (SCORES, MAPS[:, :8, :8], "scores (1,) torch.float32 and maps (1, 8, 8) torch.float32"),
        (SCORES.double(), MAPS, f"scores (1,) torch.float64 and maps (1, {SIZE}, {SIZE}) torch.float32"),
        (SCORES, MAPS.half(), f"scores (1,) torch.float32 and maps (1, {SIZE}, {SIZE}) torch.float16"),
    ],
)
def test_scores_and_maps_of_another_size_or_dtype_are_refused(
    scores: Tensor, maps: Tensor, found: str
) -> None:
    detector = faulty((scores, maps))
    detector.fit(Images(normal_images(2)), None, 0, no_progress)
    with pytest.raises(RunError) as error:
        detector.predict(normal_images(2))
    assert message(error) == (
        f"pixel_statistics gave {found}; (1,) and (1, {SIZE}, {SIZE}) torch.float32 are expected; this is a "
        "bug in the method"
    )


class FaultyInTheSecond(PixelStatistics):
    """Gives the second image a score or a map that is no number."""

    value: float
    where: int

    def _score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scored = super()._score(images)
        if (images == 1).all():
            scored[self.where].flatten()[-1] = self.value
        return scored


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("where", [0, 1])
@pytest.mark.parametrize("share", [None, 0.1])
def test_scores_and_maps_that_are_not_finite_are_refused(
    value: float, where: int, share: float | None
) -> None:
    detector = FaultyInTheSecond(SETTINGS.model_copy(update={"score_share": share}), CPU)
    detector.value, detector.where = value, where
    detector.fit(Images(normal_images(2)), None, 0, no_progress)
    with pytest.raises(RunError) as error:
        detector.predict(torch.cat([normal_images(1), torch.ones(1, 3, SIZE, SIZE)]))
    assert message(error).startswith("pixel_statistics gave image 1 a score or map that is NaN or infinite;")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_was_learned_must_be_finite(value: float) -> None:
    detector = faulty(more=torch.tensor([1.0, value]))
    with pytest.raises(RunError) as error:
        detector.fit(Images(normal_images(2)), None, 0, no_progress)
    assert message(error).startswith("pixel_statistics learned NaN or infinite values (more);")
    with pytest.raises(RunError, match="was not fitted"):
        detector.predict(normal_images(1))


def test_what_was_learned_can_be_saved_however_it_lies_in_memory(tmp_path: Path) -> None:
    whole = torch.arange(6.0).view(2, 3).requires_grad_()
    detector = faulty(turned=whole.mT, none=torch.empty(0), count=torch.tensor([3]))
    detector.fit(Images(normal_images(2)), None, 0, no_progress)
    assert detector.state["turned"].is_contiguous()
    assert not detector.state["turned"].requires_grad
    assert torch.equal(detector.state["turned"], whole.detach().mT)
    save_detector(detector, tmp_path)


def test_a_pixel_may_leave_0_to_1_by_rounding() -> None:
    images = torch.full((2, 3, SIZE, SIZE), 1.0005)
    images[1] = -0.0005
    detector = PixelStatistics(SETTINGS, CPU)
    detector.fit(Images(images), None, 0, no_progress)
    assert detector.predict(images)[0].shape == (2,)

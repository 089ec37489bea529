"""Batches that are drawn ahead are those that are drawn when asked for."""

import numpy as np
import pytest

from synthgen.diffusion.training.batches import BatchesAhead, Drawn
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.streams import Stream
from tests.diffusion.training.trainings import images, trainer

pytestmark = pytest.mark.usefixtures("small_presets")


def numbered(asked: list[tuple[int, int]]) -> BatchesAhead:
    """Batches whose one pixel names their place, and the places that were drawn."""

    def draw(number: int, part: int) -> Drawn:
        asked.append((number, part))
        pixels = np.full((1, 1, 1, 1), 10 * number + part, np.uint8)
        return Drawn(pixels, np.zeros(1, np.int64), Stream(0, number, "test", part))

    return BatchesAhead(draw, ahead=True)


def test_the_following_batch_is_drawn_once_and_another_one_anew() -> None:
    asked: list[tuple[int, int]] = []
    batches = numbered(asked)
    for place, following in (((0, 0), (0, 1)), ((0, 1), (1, 0)), ((1, 0), (2, 0)), ((7, 0), (8, 0))):
        assert batches.take(place, following).pixels.item() == 10 * place[0] + place[1]
    assert batches.take((8, 0), (9, 0)).pixels.item() == 80
    # 2 was expected, and 7 came; the thread may not have come to 9 yet.
    drawn = sorted(place for place in asked if place != (9, 0))
    assert drawn == [(0, 0), (0, 1), (1, 0), (2, 0), (7, 0), (8, 0)]


def test_what_fails_in_the_thread_is_raised_where_it_is_taken() -> None:
    def draw(number: int, part: int) -> Drawn:
        if number:
            raise ValueError("no such batch")
        return Drawn(np.zeros((1, 1, 1, 1), np.uint8), np.zeros(1, np.int64), Stream(0, 0, "test"))

    batches = BatchesAhead(draw, ahead=True)
    batches.take((0, 0), (1, 0))
    with pytest.raises(ValueError, match="no such batch"):
        batches.take((1, 0), (2, 0))


def test_a_training_is_the_same_with_batches_drawn_ahead() -> None:
    settings = TrainingSettings(size=16, batch=3, accumulate=2)
    losses = []
    for ahead in (False, True):
        with trainer(images(8, 8), settings) as made:
            made._batches = BatchesAhead(made._drawn, ahead)
            losses.append([made.update(number).loss for number in range(3)])
    assert losses[0] == losses[1] and len(set(losses[0])) == 3

"""Cutout: a rectangle of one colour."""

import numpy as np
import pytest

from synthgen.defect import composite
from synthgen.streams import Stream
from synthgen.synthesizers.cutout import Cutout
from tests.synthesizers.scenes import PLACES, place


def stream(index: int) -> Stream:
    return Stream(10, index, "test")


@pytest.mark.parametrize("where", PLACES)
def test_the_colour_is_the_mean_black_or_random(where: str) -> None:
    scene = place(where)[0]
    channels = scene.image.shape[2]
    mean = [round(float(scene.image[..., channel].mean())) for channel in range(channels)]
    assert Cutout().draw(stream(0), scene).colour == mean
    assert Cutout(fill="black").draw(stream(0), scene).colour == [0] * channels
    colours = np.array([Cutout(fill="random").draw(stream(index), scene).colour for index in range(1500)])
    assert colours.shape == (1500, channels)
    assert (colours.min(), colours.max()) == (0, 255)
    assert np.abs(colours.mean(axis=0) - 127.5).max() < 4 * 74 / 1500**0.5


@pytest.mark.parametrize("where", PLACES)
def test_the_rectangle_has_that_colour(where: str) -> None:
    scene = place(where)[1]
    for index in range(10):
        params = Cutout(fill="random", area=(0.1, 0.1)).draw(stream(index), scene)
        result = composite(scene, next(iter(Cutout.make([scene], [params], "cpu"))))
        box, inside = params.target, params.target.of(scene.foreground) > 0
        assert box.width * box.height == pytest.approx(0.1 * scene.foreground.size, rel=0.12)
        assert (box.of(result.image)[inside] == params.colour).all()
        assert np.array_equal(box.of(result.mask) > 0, inside)
        assert np.count_nonzero(result.mask) == np.count_nonzero(inside)

"""The segmenter's grid, labels, losses and noise, beside slow versions of them; and that it learns."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from synthgen.detectors.registry import make_detector
from synthgen.detectors.segmenter.cells import cells_of, labels_of, side_of
from synthgen.detectors.segmenter.detector import Segmenter, _moments, _turn
from synthgen.detectors.segmenter.losses import cross_entropy, focal, truncated_l1
from synthgen.detectors.segmenter.noise import perlin, places
from tests.detectors.images import SIZE, Images, Spots, detector, no_progress, normal_images, with_a_spot

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [64, 72, 65])
def test_a_cell_holds_the_channels_of_its_place_in_every_stage(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    sides = {stage: -(-size // 2 ** (stage + 1)) for stage in (1, 2, 3)}
    features = {
        stage: torch.rand(2, 4 - stage, sides[stage], sides[stage], generator=generator) for stage in sides
    }
    cells = cells_of(features)
    side = side_of(size)
    assert cells.shape == (2, 6, side, side)
    coarse = functional.interpolate(features[3], (side, side), mode="bilinear")
    for row, column in ((0, 0), (side - 1, side - 1), (1, 2)):
        places = [
            (min(2 * row + down, sides[1] - 1), min(2 * column + right, sides[1] - 1))
            for down in (0, 1)
            for right in (0, 1)
        ]
        mean = torch.stack([features[1][:, :, y, x] for y, x in places]).mean(0)
        assert torch.allclose(cells[:, :3, row, column], mean)
        assert torch.equal(cells[:, 3:5, row, column], features[2][:, :, row, column])
        assert torch.equal(cells[:, 5:, row, column], coarse[:, :, row, column])


def test_labels_by_both_rules() -> None:
    masks = torch.zeros(1, 20, 20, dtype=torch.bool)
    masks[0, 0:8, 0:4] = True  # half of the first cell
    masks[0, 8, 8] = True  # one pixel of another
    masks[0, 16:, 16:] = True  # all that the image has of the last, which is a quarter
    half, some = labels_of(masks, 0.5)[0], labels_of(masks, 1e-6)[0]
    assert half.shape == (3, 3)
    assert half.nonzero().tolist() == [[0, 0]]
    assert some.nonzero().tolist() == [[0, 0], [1, 1], [2, 2]]


def test_masks_that_mark_nothing_are_counted() -> None:
    class Specks(Spots):
        def batch(self, numbers: range):  # type: ignore[no-untyped-def]
            whole = super().batch(numbers)
            whole.masks[0] = False
            whole.masks[0, 5, 5] = True
            return whole

    for masks, notes in (("half", 1), ("any", 0)):
        found = detector("segmenter", samples=8, steps=1, batch=4, width=4, masks=masks)
        found.fit(Images(normal_images(3)), Specks(normal_images(3)), 0, no_progress)
        assert len(found.notes) == notes
        if notes:
            assert found.notes[0].startswith("1 of 8 masks mark no cell by the rule 'half'")


def test_cells_that_look_like_good_products_are_not_learned_from() -> None:
    """Whatever the mask says of them, the same is learned; and what has no other cell counts as normal."""

    class Doubted(Spots):
        marked, doubted = True, True

        def batch(self, numbers: range):  # type: ignore[no-untyped-def]
            whole = super().batch(numbers)
            doubtful = torch.zeros_like(whole.masks)
            doubtful[:, :16, :16] = True
            if self.marked:
                whole.masks[:, :16, :16] = True
            whole.masks[0] &= doubtful[0]
            return whole._replace(doubtful=doubtful if self.doubted else None)

    def learned(marked: bool, doubted: bool) -> Segmenter:
        source = Doubted(normal_images(3))
        source.marked, source.doubted = marked, doubted
        found = detector("segmenter", samples=8, steps=3, batch=4, width=4)
        found.fit(Images(normal_images(3)), source, 0, no_progress)
        assert isinstance(found, Segmenter)
        return found

    def weights(found: Segmenter) -> torch.Tensor:
        return torch.cat([each.flatten() for each in found._network.parameters()])

    doubted = learned(True, True)
    assert torch.equal(weights(doubted), weights(learned(False, True)))
    assert not torch.equal(weights(doubted), weights(learned(True, False)))
    assert doubted.notes[-1].startswith("1 of 8 defects have no cell that does not look like a good product")


def test_truncated_l1_by_hand() -> None:
    scores = torch.tensor([[-1.0, -0.2, 0.7, 0.3, 2.0]])
    labels = torch.tensor([[False, False, False, True, True]])
    assert float(truncated_l1(scores, labels)) == pytest.approx((0 + 0.3 + 1.2) / 3 + (0.2 + 0) / 2)
    assert float(truncated_l1(scores, torch.zeros_like(labels))) == pytest.approx(
        (0 + 0.3 + 1.2 + 0.8 + 2.5) / 5
    )


def test_focal_by_hand() -> None:
    scores, labels = [0.5, -2.0, 3.0], [True, True, False]
    expected = []
    for score, label in zip(scores, labels, strict=True):
        share = 1 / (1 + math.exp(-score))
        right = share if label else 1 - share
        expected.append(-((1 - right) ** 4) * math.log(right))
    found = float(focal(torch.tensor(scores), torch.tensor(labels)))
    assert found == pytest.approx(np.mean(expected), rel=1e-5)


def test_cross_entropy_by_hand() -> None:
    found = float(cross_entropy(torch.tensor([0.5, -2.0]), torch.tensor([True, False])))
    assert found == pytest.approx((math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(-2.0))) / 2)


def test_perlin_noise_by_its_definition() -> None:
    side, cells = 12, (3, 2)
    field = perlin(side, cells, torch.Generator().manual_seed(4), CPU)
    angles = torch.rand(4, 3, generator=torch.Generator().manual_seed(4)) * 2 * math.pi
    for row in range(side):
        for column in range(side):
            y, x = (row + 0.5) * cells[0] / side, (column + 0.5) * cells[1] / side
            total = 0.0
            for top in (int(y), int(y) + 1):
                for left in (int(x), int(x) + 1):
                    down, right = y - top, x - left
                    fade = [
                        1 - (6 * abs(t) ** 5 - 15 * abs(t) ** 4 + 10 * abs(t) ** 3) for t in (down, right)
                    ]
                    angle = float(angles[top, left])
                    total += fade[0] * fade[1] * (math.sin(angle) * down + math.cos(angle) * right)
            assert float(field[row, column]) == pytest.approx(total * math.sqrt(2), abs=1e-5)


def test_half_of_the_places_are_empty() -> None:
    found = places(400, 32, torch.Generator().manual_seed(0), CPU)
    assert found.shape == (400, 32, 32)
    filled = found.any((1, 2)).float().mean()
    assert 0.35 < filled < 0.55  # a coarse field may stay below the threshold, too
    assert 0.02 < found.float().mean() < 0.3


def test_every_image_is_taken_once_before_any_is_taken_twice() -> None:
    taken = [number for step in range(10) for number in _turn(5, 3, step, 0, "normal")]
    for start in range(0, 30, 5):
        assert sorted(taken[start : start + 5]) == list(range(5))
    assert taken[:5] != taken[5:10]


def test_moments_are_those_of_all_places() -> None:
    cells = torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(0)).half()
    mean, deviation = _moments(cells)
    flat = cells.double().permute(1, 0, 2, 3).flatten(1)
    assert torch.allclose(mean.double(), flat.mean(1))
    assert torch.allclose(deviation.double(), flat.std(1, correction=0))


@pytest.mark.parametrize("loss", ["cross-entropy", "published"])
def test_it_learns_where_spots_are(loss: str) -> None:
    settings = {"image_size": SIZE, "samples": 32, "steps": 60, "batch": 8, "width": 32, "loss": loss}
    found = make_detector("segmenter", settings, "efficientnet_lite0", "imagenet", "cpu")
    found.fit(Images(normal_images(6)), Spots(normal_images(6)), 0, no_progress)
    normal, spotted = normal_images(4, seed=7), with_a_spot(normal_images(4, seed=7))
    scores, maps = found.predict(torch.cat([normal, spotted]))
    assert scores[4:].min() > scores[:4].max()
    inside = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    inside[26:38, 26:38] = True
    outside = ~functional.max_pool2d(inside[None, None].float(), 25, 1, 12)[0, 0].bool()
    assert maps[4:, inside].mean() > maps[4:, outside].mean() + 0.5
    companion, _ = found.predict_companion("largest of the map", spotted)
    assert torch.equal(companion, maps[4:].amax((1, 2)))


def test_without_a_recipe_it_learns_from_noise() -> None:
    found = detector("segmenter", anomalies="none", steps=40, batch=4, width=16)
    assert isinstance(found, Segmenter)
    assert not found.learns_from_anomalies
    found.fit(Images(normal_images(6)), None, 0, no_progress)
    scores, _ = found.predict(torch.cat([normal_images(3, seed=7), with_a_spot(normal_images(3, seed=7))]))
    assert scores[3:].mean() > scores[:3].mean()

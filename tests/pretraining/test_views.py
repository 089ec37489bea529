"""Views: the parts that are said to be shown, blurred as SciPy blurs, the same by the same generator."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Generator, Tensor

from synthgen.pretraining.views import ASPECT, Crops, WeakViews, blur, global_views

MIDDLES = (torch.arange(64) + 0.5) / 64


def ramp() -> Tensor:
    """(3, 64, 64), whose channels say where a pixel's middle lies: column, row, and their product."""
    rows = MIDDLES[:, None]
    return torch.stack([MIDDLES.expand(64, 64), rows.expand(64, 64), MIDDLES * rows])


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_crops_show_the_box_from_edge_to_edge() -> None:
    crops = Crops(torch.tensor([[0.25, 0.5, 0.5, 0.25]] * 2), torch.tensor([False, True]))
    straight, mirrored = crops.of(ramp()[None].expand(2, -1, -1, -1))
    assert torch.allclose(straight[0, 7], 0.25 + 0.5 * MIDDLES, atol=1e-5)
    assert torch.allclose(straight[1, :, 7], 0.5 + 0.25 * MIDDLES, atol=1e-5)
    assert torch.allclose(mirrored, straight.flip(2), atol=1e-5)


def test_the_whole_image_is_itself() -> None:
    image = torch.rand(1, 3, 16, 16, generator=generator())
    whole = Crops(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([False]))
    assert torch.allclose(whole.of(image), image, atol=1e-5)


def test_boxes_lie_in_the_image_and_have_the_areas_asked_for() -> None:
    crops = Crops.drawn(2000, (0.2, 1.0), True, generator())
    left, top, width, height = crops.boxes.T
    assert min(float(left.min()), float(top.min())) >= 0
    assert max(float((left + width).max()), float((top + height).max())) <= 1 + 1e-6
    free = (width < 1) & (height < 1)
    area, aspect = (width * height)[free], (width / height)[free]
    assert float(area.min()) >= 0.2 - 1e-6
    assert 1 / ASPECT - 1e-5 <= float(aspect.min()) <= float(aspect.max()) <= ASPECT + 1e-5
    assert float((width * height).mean()) == pytest.approx(0.6, abs=0.03)
    assert float(crops.mirrored.float().mean()) == pytest.approx(0.5, abs=0.05)
    assert not Crops.drawn(99, (0.2, 1.0), False, generator()).mirrored.any()


def test_blur_is_scipys() -> None:
    images = torch.rand(2, 3, 24, 20, generator=generator())
    found = blur(images, torch.tensor([0.7, 2.0])).numpy()
    for image, made, deviation in zip(images.numpy(), found, (0.7, 2.0), strict=True):
        slow = image
        for axis in (1, 2):
            slow = gaussian_filter1d(slow, deviation, axis, mode="mirror", radius=6)
        assert np.allclose(made, slow, atol=1e-5)


def test_weak_views_change_image_and_copy_alike() -> None:
    images = torch.rand(3, 3, 32, 32, generator=generator())
    copies = images.clone()
    copies[:, :, 12:20, 12:20] = 0
    weak = WeakViews.drawn(3, generator(1))
    one, other = weak.of(images), weak.of(copies)
    assert torch.equal(one, weak.of(images))
    # The corners lie far from the defect: there both differ by the shift of the mean alone, which the
    # contrast is about.
    assert float((one - other)[:, :, :4, :4].abs().max()) < 0.02
    assert bool(((one - other)[:, :, 12:20, 12:20].abs().mean((1, 2, 3)) > 0.2).all())
    assert float((one - images).abs().max()) > 1e-3


def test_global_views_are_the_generators() -> None:
    images = torch.rand(16, 3, 32, 32, generator=generator())
    found = global_views(images, generator(5))
    assert torch.equal(found, global_views(images, generator(5)))
    assert not torch.equal(found, global_views(images, generator(6)))
    assert found.shape == images.shape
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    grey = (found.amax(1) - found.amin(1)).amax((1, 2)) < 1e-5
    assert 0 < int(grey.sum()) < 16

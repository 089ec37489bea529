"""EfficientAD's quantiles against numpy's, and the pictures that it makes."""

import numpy as np
import pytest
import torch

from synthgen.detectors.efficientad.pictures import recoloured, textures
from synthgen.detectors.efficientad.quantiles import MapScale, exact_quantile
from tests.detectors.images import normal_images


def test_a_quantile_of_more_values_than_torch_takes_is_numpys() -> None:
    values = torch.rand(2**24 + 5, generator=torch.Generator().manual_seed(0))
    with pytest.raises(RuntimeError, match="too large"):
        values.quantile(0.995)
    expected = np.quantile(values.numpy(), 0.995)
    assert float(exact_quantile(values, 0.995)) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
@pytest.mark.parametrize("share", [0, 0.3, 0.5, 0.995, 1])
def test_a_quantile_lies_between_the_nearest_two(count: int, share: float) -> None:
    values = torch.randn(count, generator=torch.Generator().manual_seed(count))
    expected = float(values.double().quantile(share))
    assert float(exact_quantile(values.view(1, -1), share)) == pytest.approx(expected, rel=1e-5)


def test_maps_that_are_the_same_everywhere_have_no_scale() -> None:
    scale = MapScale.of(torch.full((2, 8, 8), 3.0))
    assert scale(torch.tensor([3.0, 5.0])).tolist() == [0, 2]


def test_one_of_brightness_contrast_and_saturation_changes() -> None:
    image = normal_images(1).double().mul(0.6).add(0.2).float()  # so that nothing is cut off
    found = recoloured(image.expand(60, -1, -1, -1), torch.Generator().manual_seed(0)).double().numpy()
    original = image[0].double().numpy()
    grey = np.tensordot([0.299, 0.587, 0.114], original, 1)
    kinds = {"brightness": np.zeros_like(original), "contrast": np.full_like(original, grey.mean())}
    kinds["saturation"] = np.broadcast_to(grey, original.shape)
    counts = dict.fromkeys(kinds, 0)
    for changed in found:
        for kind, other in kinds.items():
            factor = ((changed - other) * (original - other)).sum() / ((original - other) ** 2).sum()
            if np.allclose(changed, other + factor * (original - other), atol=1e-5):
                assert 0.8 <= factor <= 1.2
                counts[kind] += 1
    assert sum(counts.values()) == 60
    assert min(counts.values()) >= 10


def test_textures_are_pictures_of_many_kinds_and_some_are_grey() -> None:
    found = textures(60, 32, torch.Generator().manual_seed(0))
    assert found.shape == (60, 3, 32, 32)
    assert found.min() >= 0
    assert found.max() <= 1
    are_grey = (found == found[:, :1]).all(dim=3).all(dim=2).all(dim=1)
    assert 9 <= int(are_grey.sum()) <= 27
    assert found.flatten(1).std(1).min() > 0.03
    assert not torch.allclose(found[0], found[1], atol=0.1)

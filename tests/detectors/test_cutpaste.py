"""CutPaste's scores and maps against their formulas, its classes, and what its training reaches."""

from typing import cast

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor
from torch.nn import functional

from synthgen.detectors.common.backbones import load_backbone
from synthgen.detectors.cutpaste import detector as cutpaste
from synthgen.detectors.cutpaste import training
from synthgen.detectors.cutpaste.detector import Cutpaste, CutpasteSettings
from synthgen.errors import InputError, RunError
from synthgen.recipe.files import load_recipe
from tests.detectors.images import SIZE, Images, Spots, detector, no_progress, normal_images, with_a_spot
from tests.detectors.methods import message
from tests.detectors.oracles import Array, enlarged

QUICK = {"schedule": "cpu", "steps": 2, "batch": 1, "patch": 48}


def fitted(normals: Tensor | None = None, **settings: object) -> Cutpaste:
    result = cast(Cutpaste, detector("cutpaste", **{**QUICK, **settings}))
    images = normal_images(12) if normals is None else normals
    result.fit(Images(images), Spots(normal_images(6)), 0, no_progress)
    return result


def unit(vectors: Tensor) -> Array:
    values = vectors.double().numpy()
    return np.asarray(values / np.linalg.norm(values, axis=-1, keepdims=True))


def mahalanobis(normal: Array, asked: Array) -> Array:
    return np.sqrt(LedoitWolf().fit(normal).mahalanobis(asked))


@torch.no_grad()
def pooled(backbone: torch.nn.Module, images: Tensor) -> Array:
    return unit(backbone(images)[3].mean((2, 3)))


def test_scores_are_the_distances_of_pooled_features_of_the_trained_and_of_the_untrained_backbone() -> None:
    found, test = fitted(), with_a_spot(normal_images(3, seed=9))
    for backbone, (scores, _) in (
        (found._networks.images.backbone, found.predict(test)),
        (load_backbone("resnet18", "random", (1, 2, 3)), found.predict_companion("untrained backbone", test)),
    ):
        expected = mahalanobis(pooled(backbone, normal_images(12)), pooled(backbone, test))
        assert scores.numpy() == pytest.approx(expected, rel=1e-3)
    assert not torch.equal(found.predict(test)[0], found.predict_companion("untrained backbone", test)[0])


@torch.no_grad()
def test_maps_are_the_distances_of_all_patches_enlarged_and_smoothed() -> None:
    found, test = fitted(), with_a_spot(normal_images(1, seed=9))
    network = found._networks.patches
    assert network is not None

    def embeddings(images: Tensor) -> Array:
        """(B, 5, 5, D): of patches of 48 that are cut out one by one."""
        places = [(top, left) for top in range(0, 17, 4) for left in range(0, 17, 4)]
        cut = [network.embed(images[:, :, top : top + 48, left : left + 48]) for top, left in places]
        return unit(torch.cat(cut, 1).view(len(images), 5, 5, -1))

    normal = embeddings(normal_images(12)).reshape(12 * 25, -1)
    values = mahalanobis(normal, embeddings(test)[0].reshape(25, -1)).reshape(5, 5)
    # The middles of the patches are at 24, 28 … 40; at steps of 4 their cells begin at 22, beyond which the
    # outermost values go on: by 5 and a half cells, or 22 pixels, which are made of half cells here.
    halves = functional.interpolate(torch.from_numpy(values)[None, None], (20, 20), mode="bilinear")[0, 0]
    outside = np.pad(halves.numpy(), 22, mode="edge")
    _, maps = found.predict(test)
    expected = enlarged(outside, SIZE, 4.0)
    assert np.abs(maps[0].numpy() - expected).max() < 2e-3 * expected.max()


def test_the_untrained_map_is_of_one_density_of_all_places() -> None:
    found, test = fitted(), with_a_spot(normal_images(1, seed=9))
    backbone = load_backbone("resnet18", "random", (1, 2, 3))
    normal, asked = (unit(backbone(each)[3].permute(0, 2, 3, 1)) for each in (normal_images(12), test))
    expected = mahalanobis(normal.reshape(-1, 256), asked.reshape(-1, 256)).reshape(4, 4)
    _, maps = found.predict_companion("untrained backbone", test)
    assert np.abs(maps[0].numpy() - enlarged(expected, SIZE, 4.0)).max() < 1e-3 * expected.max()


def test_a_density_of_places_takes_as_many_of_each_image_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = fitted().state
    monkeypatch.setattr(cutpaste, "PLACES", 60)
    some = fitted().state
    for name in ("patches.mean", "untrained places.mean"):
        assert not torch.equal(everything[name], some[name])
        assert torch.allclose(everything[name], some[name], atol=0.05)
    assert torch.equal(everything["images.mean"], some["images.mean"])


def test_grad_cam_needs_no_second_network() -> None:
    found, test = fitted(localisation="grad-cam"), with_a_spot(normal_images(2, seed=9))
    assert not any(name.startswith(("networks.patches", "patches")) for name in found.state)
    _, maps = found.predict(test)
    assert (maps >= 0).all()
    assert found._networks.patches is None
    detector("cutpaste", localisation="grad-cam", image_size=32)


@pytest.mark.parametrize(("classes", "count"), [("by-method", 3), ("two", 2)])
def test_every_method_is_a_class_or_all_of_them_are_one(classes: str, count: int) -> None:
    found = fitted(classes=classes)
    assert len(found.state[f"networks.{cutpaste.LAST_BIAS}"]) == count


def test_training_tells_the_classes_apart() -> None:
    found = fitted(steps=40, batch=4, localisation="grad-cam")
    batch = Spots(normal_images(6)).batch(range(5000, 5016))
    small = functional.avg_pool2d(torch.cat([batch.normals, batch.images]), 2)
    with torch.no_grad():
        classes = found._networks.images(small).argmax(1)
    expected = torch.tensor([0] * 16 + [1 + number % 2 for number in range(16)])
    assert (classes == expected).float().mean() > 0.8


def test_backbones_are_frozen_at_first_and_trained_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five steps the first is frozen; the later ones are made to change nothing, or to from the third."""
    backbone, head = "backbone.layer1.0.conv1.weight", "head.0.weight"
    begun = load_backbone("resnet18", "random", (1, 2, 3)).state_dict()["layer1.0.conv1.weight"]
    states = {}
    for last in (0, 1):
        monkeypatch.setattr(training, "cosine", lambda done, last=last: float(done <= last / 5))
        states[last] = fitted(steps=5).state
    for network in ("networks.images.", "networks.patches."):
        assert torch.equal(states[0][network + backbone], begun)
        assert not torch.equal(states[1][network + backbone], begun)
        assert not torch.equal(states[0][network + head], states[1][network + head])


def test_the_shrinkage_is_told() -> None:
    found = fitted()
    share = LedoitWolf().fit(pooled(found._networks.images.backbone, normal_images(12))).shrinkage_
    assert found.notes == [
        f"the covariance of the 12 images' features was shrunk by {share:.0%} (Ledoit and Wolf)"
    ]


def test_the_published_schedule_and_recipe_are_the_default() -> None:
    found = cast(Cutpaste, detector("cutpaste"))
    assert CutpasteSettings().schedule == "published"
    assert found._schedule(3) == training.Schedule(
        steps=10_000, batch=32, image_rate=0.03, patch_rate=0.03, shrinking=1
    )
    short = cast(Cutpaste, detector("cutpaste", schedule="cpu"))
    assert [short._schedule(classes).batch for classes in (2, 3, 8, 30)] == [12, 8, 3, 1]
    recipe = load_recipe(Cutpaste.default_recipe)
    assert [each.method for each in recipe.synthesizers] == ["cutpaste", "scar"]
    assert len({each.weight for each in recipe.synthesizers}) == 1
    for ours in recipe.synthesizers:
        assert ours == load_recipe(ours.method).synthesizers[0]


def test_patches_that_do_not_fit_the_image_are_refused() -> None:
    with pytest.raises(InputError) as error:
        detector("cutpaste", image_size=60)
    assert message(error) == (
        "patch 64: is larger than the image_size 60; give at most that, or localisation: grad-cam"
    )
    with pytest.raises(InputError, match="patch 40: is too small for resnet18 without padding; "):
        detector("cutpaste", patch=40)


def test_training_that_ends_in_nan_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cutpaste.RATES, "cpu", (1e30, 1e30))
    with pytest.raises(RunError, match=r"the loss of step \d+ of 30 is NaN or infinite; "):
        fitted(steps=30)

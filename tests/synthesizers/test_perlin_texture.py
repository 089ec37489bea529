"""What shows through a Perlin mask, and the texture of DRAEM."""

import numpy as np
import pytest

from synthgen.defect import composite, judge
from synthgen.regions.perlin_mask import LatticeShape, perlin_masks
from synthgen.streams import Stream
from synthgen.synthesizers.common.augmenters import Toned
from synthgen.synthesizers.perlin_texture import PerlinTexture
from synthgen.synthesizers.registry import SYNTHESIZERS
from tests.synthesizers.scenes import PLACES, place

every_place = pytest.mark.parametrize("where", PLACES)


def stream(index: int) -> Stream:
    return Stream(12, index, "test")


@every_place
@pytest.mark.parametrize("name", ["perlin-texture", "perlin-self-shuffle"])
def test_the_whole_mask_is_in_the_defect(name: str, where: str) -> None:
    """Also what lies off the foreground: how much of it does is a fact."""
    kind, scene = SYNTHESIZERS[name], place(where)[0]
    height, width = scene.foreground.shape
    seen_off_foreground = False
    for index in range(12):
        params = kind().draw(stream(index), scene)
        (mask,) = perlin_masks([params.mask], height, width, "cpu")
        (defect,) = kind.make([scene], [params], "cpu")
        on_foreground = np.count_nonzero(mask & scene.foreground)
        if not on_foreground:
            assert not defect.alpha.any()
            continue
        whole = np.zeros_like(mask)
        whole[defect.top :, defect.left :][: defect.alpha.shape[0], : defect.alpha.shape[1]] = defect.alpha
        assert np.array_equal(whole > 0, mask > 0)
        assert set(np.unique(defect.alpha)) <= {0, round(255 * params.delta)}
        verdict = judge(composite(scene, defect), 0, 0)
        if verdict.area_pixels >= 8:
            assert verdict.foreground_overlap == round(on_foreground / np.count_nonzero(mask), 6)
        seen_off_foreground |= on_foreground < np.count_nonzero(mask)
    assert seen_off_foreground == (scene.product_type == "object")


@every_place
def test_without_augmenters_the_texture_itself_shows(where: str) -> None:
    scene = place(where)[0]
    method = PerlinTexture(augmenters=0, delta=(1, 1), mask=LatticeShape(threshold=0.2))
    for index in range(8):
        params = method.draw(stream(index), scene)
        result = composite(scene, next(iter(PerlinTexture.make([scene], [params], "cpu"))))
        texture = scene.library.texture(params.texture_sha256, scene.image.shape)
        assert np.array_equal(result.image[result.mask > 0], texture[result.mask > 0])


def test_the_augmenters_are_applied_in_the_drawn_order() -> None:
    scene = place("RGB texture 48x96")[0]
    params = PerlinTexture(augmenters=4).draw(stream(3), scene)
    positions = np.arange(100, 900, 3)
    toned = Toned(scene.library.texture(params.texture_sha256, scene.image.shape))
    for augmentation in params.augmentations:
        toned.augment(augmentation)
    assert np.array_equal(PerlinTexture.anomaly(scene, params, positions), toned.at(positions))
    backwards = params.model_copy(update={"augmentations": params.augmentations[::-1]})
    assert not np.array_equal(PerlinTexture.anomaly(scene, backwards, positions), toned.at(positions))


def test_every_texture_is_used_equally_often() -> None:
    scene = place("RGB texture 48x96")[0]
    textures = list(scene.library.textures("builtin"))
    chosen = [PerlinTexture().draw(stream(index), scene).texture_sha256 for index in range(1000)]
    # 200 each; four standard errors.
    assert all(abs(chosen.count(texture) - 200) < 51 for texture in textures)


def test_the_collection_is_the_recipes() -> None:
    assert PerlinTexture(textures="some/folder").collections() == {"some/folder"}


def test_an_opacity_close_to_0_keeps_the_mask() -> None:
    for name in ("perlin-texture", "perlin-self-shuffle", "nsa"):
        scene = place("RGB texture 48x96")[0]
        params = SYNTHESIZERS[name]().draw(stream(2), scene)
        faint, whole = (
            next(iter(SYNTHESIZERS[name].make([scene], [params.model_copy(update={"delta": delta})], "cpu")))
            for delta in (0.001, 1.0)
        )
        assert whole.alpha.any()
        assert np.array_equal(faint.alpha > 0, whole.alpha > 0)

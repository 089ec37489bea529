"""CutPaste: the published sizes, and that what is pasted is what was cut."""

import numpy as np
import pytest

from synthgen.defect import composite
from synthgen.images.pixels import Pixels
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.boxes import patch_size
from synthgen.synthesizers.common.patch import opacity, other_image
from synthgen.synthesizers.cutpaste import CutPaste
from tests.synthesizers.scenes import MemoryLibrary, frozen, place, unlike_halves

WIDTH, HEIGHT = 1200, 800


def stream(index: int) -> Stream:
    return Stream(8, index, "test")


@pytest.fixture(scope="module")
def large() -> Scene:
    image, foreground = np.zeros((HEIGHT, WIDTH, 1), np.uint8), np.full((HEIGHT, WIDTH), 255, np.uint8)
    return Scene("0" * 64, "test", "texture", frozen(image), frozen(foreground), MemoryLibrary())


def test_area_and_aspect_are_distributed_as_published(large: Scene) -> None:
    from scipy.stats import kstest

    sizes = [patch_size(stream(index), large, (0.02, 0.15), (0.3, 3.3)) for index in range(2000)]
    width, height = np.array(sizes).T
    areas, aspects = width * height / (WIDTH * HEIGHT), np.log(width / height)
    assert 0.0198 <= areas.min() <= areas.max() <= 0.1515
    assert kstest(areas, "uniform", (0.02, 0.13)).pvalue > 0.001
    wide = aspects > 0
    # Half of 2,000; four standard errors.
    assert abs(wide.sum() - 1000) < 90
    assert kstest(aspects[wide], "uniform", (0, np.log(3.3))).pvalue > 0.001
    assert kstest(aspects[~wide], "uniform", (np.log(0.3), -np.log(0.3))).pvalue > 0.001
    assert abs(np.corrcoef(areas, aspects)[0, 1]) < 0.09


def test_half_of_the_patches_are_wide_whatever_the_bounds(large: Scene) -> None:
    sizes = [patch_size(stream(index), large, (0.05, 0.05), (0.8, 5.0)) for index in range(1000)]
    # Half of 1,000; four standard errors.
    assert abs(sum(width > height for width, height in sizes) - 500) < 64


@pytest.mark.parametrize("aspect", [(0.2, 0.5), (2.0, 4.0)])
def test_aspects_on_one_side_of_1(large: Scene, aspect: tuple[float, float]) -> None:
    for index in range(200):
        width, height = patch_size(stream(index), large, (0.05, 0.05), aspect)
        assert aspect[0] * 0.98 <= width / height <= aspect[1] * 1.02
        assert width * height == pytest.approx(0.05 * WIDTH * HEIGHT, rel=0.02)


def test_a_patch_is_never_larger_than_the_image(large: Scene) -> None:
    for index in range(100):
        width, height = patch_size(stream(index), large, (0.9, 1.0), (0.01, 100))
        assert 2 <= width <= WIDTH
        assert 2 <= height <= HEIGHT


@pytest.mark.parametrize("where", ["RGB texture 48x96", "grey object 96x48"])
@pytest.mark.parametrize("quarters", [0, 1, -1])
def test_what_is_pasted_is_what_was_cut(quarters: int, where: str) -> None:
    scene = place(where)[0]
    method = CutPaste(jitter=0, rotation=(90.0 * quarters, 90.0 * quarters))
    for index in range(20):
        params = method.draw(stream(index), scene)
        (defect,) = CutPaste.make([scene], [params], "cpu")
        result = composite(scene, defect)
        pasted, mask = params.target.of(result.image), params.target.of(result.mask) > 0
        wanted = np.rot90(params.cut.of(scene.image), quarters)
        assert np.array_equal(pasted[mask], wanted[mask])
        assert np.array_equal(mask, params.target.of(scene.foreground) > 0)
        assert np.count_nonzero(result.mask) == np.count_nonzero(mask)


@pytest.mark.parametrize("where", ["RGB texture 48x96", "grey object 96x48"])
def test_a_patch_is_jittered_as_drawn(where: str) -> None:
    scene = place(where)[0]
    for index in range(10):
        params = CutPaste().draw(stream(index), scene)
        (defect,) = CutPaste.make([scene], [params], "cpu")
        cut = params.cut.of(scene.image)
        assert np.array_equal(defect.pixels, params.jitter.apply(np.ascontiguousarray(cut)))
        assert not np.array_equal(defect.pixels, cut)


def test_a_patch_of_another_image_comes_from_there() -> None:
    peers = place("RGB texture 48x96")
    method = CutPaste(jitter=0, patch_from="other")
    sources = set()
    for index in range(60):
        params = method.draw(stream(index), peers[0])
        (defect,) = CutPaste.make(peers[:1], [params], "cpu")
        origin = next(scene for scene in peers if scene.sha256 == params.patch_sha256)
        assert np.array_equal(defect.pixels, params.cut.of(origin.image))
        sources.add(params.patch_sha256)
    assert sources == {scene.sha256 for scene in peers[1:]}


def test_a_patch_is_cut_from_the_other_images_own_foreground() -> None:
    left, right = unlike_halves(64, 128)
    for index in range(60):
        params = CutPaste(patch_from="other", area=(0.02, 0.1), min_overlap=0.5).draw(stream(index), left)
        assert np.count_nonzero(params.cut.of(right.foreground)) >= 0.5 * params.cut.width * params.cut.height
        covered = np.count_nonzero(params.target.of(left.foreground))
        assert covered >= 0.5 * params.target.width * params.target.height


def test_other_images_are_equally_likely() -> None:
    peers = place("RGB texture 48x96")
    for scene in (peers[0], peers[3], peers[-1]):
        chosen = [other_image(stream(index), scene) for index in range(1200)]
        counts = {peer.sha256: chosen.count(peer.sha256) for peer in peers}
        assert counts.pop(scene.sha256) == 0
        # 200 each; four and a half standard errors.
        assert all(abs(count - 200) < 58 for count in counts.values()), counts


def test_a_category_of_one_image_takes_its_own() -> None:
    alone = place("RGB texture 48x96")[0]
    library = MemoryLibrary({alone.sha256: alone})
    scene = Scene(alone.sha256, alone.category, alone.product_type, alone.image, alone.foreground, library)
    params = CutPaste(patch_from="other").draw(stream(0), scene)
    assert params.patch_sha256 == alone.sha256
    assert len(list(CutPaste.make([scene], [params], "cpu"))) == 1


@pytest.mark.parametrize("delta", [1.0, 0.5, 0.2, 0.001])
def test_opacity_scales_alpha_and_keeps_the_mask(delta: float) -> None:
    alpha: Pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    wanted = [0, *(max(1, round(value * delta)) for value in range(1, 256))]
    assert opacity(alpha, delta).ravel().tolist() == wanted

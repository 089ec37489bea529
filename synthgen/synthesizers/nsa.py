"""NSA: patches of another image, resized and Poisson-blended (Schlüter et al., ECCV 2022, section 3).

The label is the real change: what Poisson blending left as it was is not in the mask.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.config.ranges import Positive, PositiveRange, PositiveShareRange, Share
from synthgen.defect import Defect
from synthgen.images.pixels import Pixels
from synthgen.scene import ProductType, Scene
from synthgen.streams import Stream
from synthgen.synthesizers.base import Params, Synthesizer
from synthgen.synthesizers.common.boxes import Box, place
from synthgen.synthesizers.common.change import changed
from synthgen.synthesizers.common.patch import other_image

MIN_SIDE = 7
"""Least side of a patch, in pixels: after losing a pixel at the image's borders, OpenCV needs 5."""

RESIZE: dict[ProductType, tuple[float, float]] = {"object": (0.7, 1.3), "texture": (0.5, 2.0)}


class NsaPatch(FrozenModel):
    """One patch: where it is cut and where it goes (which may be of another size)."""

    cut: Box
    target: Box


class NsaParams(Params):
    """The patches of one sample, in the order in which they are blended."""

    patch_sha256: str
    """The image the patches are cut from; empty for the sample's own normal image."""
    clone: Literal["normal", "mixed"]
    patches: list[NsaPatch]

    def needs(self) -> set[str]:
        """The image the patches are cut from, where that is another one."""
        return {self.patch_sha256} - {""}


class Nsa(Synthesizer[NsaParams]):
    """Poisson-blend patches of another image of the product."""

    title: ClassVar[str] = "Blend in patches of another image of the product, without visible seams"
    params_type = NsaParams

    method: Literal["nsa"] = "nsa"
    patch_from: Literal["same", "other"] = "other"
    """The patches' image: other (another normal image of the same category), or same (the sample's own)."""
    max_patches: Annotated[int, Field(ge=1, le=16)] = 4
    """Every patch after the first is added with probability 0.5, up to this many."""
    half_width: PositiveShareRange = (0.03, 0.4)
    """Bounds of a patch's half width, as a share of the image's side."""
    gamma: tuple[Positive, Positive] = (2.0, 0.05)
    """Shape and scale of the Gamma distribution that is added to the least half width."""
    resize: PositiveRange | Literal["auto"] = "auto"
    """Bounds of the resize factor N(1, 0.5); auto: 0.7 … 1.3 for objects, 0.5 … 2 for textures."""
    clone: Literal["auto", "normal", "mixed"] = "auto"
    """How gradients are joined; auto: normal for objects, mixed for textures."""
    min_overlap: Share = 0.25
    """Least share of the drawn defect that must lie on the foreground, before it is clipped to it, 0 to 1."""

    def needs_other_images(self) -> bool:
        """Whether patches come from another image."""
        return self.patch_from == "other"

    def draw(self, stream: Stream, scene: Scene) -> NsaParams:
        """Take every random decision: image, number of patches, sizes, factors, places, opacity."""
        sha256 = other_image(stream, scene) if self.patch_from == "other" else ""
        origin = scene.library.scene(sha256) if sha256 else scene
        patches = [self._draw_patch(stream, scene, origin)]
        while len(patches) < self.max_patches and stream.boolean(0.5):
            patches.append(self._draw_patch(stream, scene, origin))
        clone = self.clone
        if clone == "auto":
            clone = "normal" if scene.product_type == "object" else "mixed"
        return NsaParams(delta=stream.uniform(self.delta), patch_sha256=sha256, clone=clone, patches=patches)

    def _draw_patch(self, stream: Stream, scene: Scene, origin: Scene) -> NsaPatch:
        image_height, image_width = scene.image.shape[:2]
        width, height = self._draw_side(stream, image_width), self._draw_side(stream, image_height)
        low, high = RESIZE[scene.product_type] if self.resize == "auto" else self.resize
        factor = min(max(stream.normal(1.0, 0.5), low), high)
        # One pixel of the image must remain on every side: it is the blending's boundary condition.
        new_width = min(max(round(width * factor), MIN_SIDE), image_width - 2)
        new_height = min(max(round(height * factor), MIN_SIDE), image_height - 2)
        return NsaPatch(
            cut=place(stream, origin, width, height, self.min_overlap),
            target=place(stream, scene, new_width, new_height, self.min_overlap),
        )

    def _draw_side(self, stream: Stream, length: int) -> int:
        low, high = self.half_width
        share = min(low + stream.gamma(*self.gamma), high)
        return min(max(round(2 * share * length), MIN_SIDE), length - 2)

    @classmethod
    def make(cls, scenes: Sequence[Scene], params: Sequence[NsaParams], device: str) -> Iterable[Defect]:
        """Blend the patches; OpenCV's Poisson solver runs on the CPU whatever the device."""
        return map(_blended, scenes, params)


def _blended(scene: Scene, params: NsaParams) -> Defect:
    origin = scene.library.scene(params.patch_sha256) if params.patch_sha256 else scene
    flag = cv2.NORMAL_CLONE if params.clone == "normal" else cv2.MIXED_CLONE
    image = scene.image.copy()
    for patch in params.patches:
        target = patch.target
        pixels = cv2.resize(
            np.ascontiguousarray(patch.cut.of(origin.image)), (target.width, target.height)
        ).reshape(target.height, target.width, -1)
        clone_into(image, pixels, target, flag)
    left = min(patch.target.left for patch in params.patches)
    top = min(patch.target.top for patch in params.patches)
    right = max(patch.target.left + patch.target.width for patch in params.patches)
    bottom = max(patch.target.top + patch.target.height for patch in params.patches)
    region = (slice(top, bottom), slice(left, right))
    weight = np.uint8(max(1, round(255 * params.delta)))
    alpha = np.where(changed(scene.image[region], image[region]), weight, np.uint8(0))
    return Defect(left, top, image[region], alpha)


def clone_into(image: Pixels, pixels: Pixels, target: Box, flag: int) -> None:
    """Poisson-blend ``pixels`` into ``image`` at ``target``, in place (Pérez et al., SIGGRAPH 2003).

    ``seamlessClone`` centres the mask's bounding box at a point and solves inside of it; the region handed
    over is the target with one pixel around it, so that the box can lie in one place only.
    """
    image_height, image_width, channels = image.shape
    left, top = min(max(target.left, 1), image_width - 1), min(max(target.top, 1), image_height - 1)
    right = min(target.left + target.width, image_width - 1)
    bottom = min(target.top + target.height, image_height - 1)
    pixels = pixels[top - target.top : bottom - target.top, left - target.left : right - target.left]
    height, width = pixels.shape[:2]
    around = image[top - 1 : bottom + 1, left - 1 : right + 1]
    source, destination = np.ascontiguousarray(pixels), np.ascontiguousarray(around)
    if channels == 1:
        source, destination = (cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR) for grey in (source, destination))
    mask = np.full((height, width), 255, np.uint8)
    centre = (1 + width // 2, 1 + height // 2)
    around[:] = cv2.seamlessClone(source, destination, mask, centre, flag)[..., :channels]

"""What all methods share that cut a patch out of a normal image and put it somewhere else."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from synthgen.config.ranges import DegreesRange, PositiveRange, PositiveShareRange, Share
from synthgen.defect import Defect
from synthgen.images.pixels import Pixels
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.base import Params, Synthesizer
from synthgen.synthesizers.common.boxes import Box, patch_size, place, turned, turned_size
from synthgen.synthesizers.common.jitter import Jitter


class PatchParams(Params):
    """Which pixels go where, and how they are changed on the way."""

    patch_sha256: str
    """The image the patch is cut from; empty for the sample's own normal image."""
    cut: Box
    """The patch in that image."""
    target: Box
    """The upright box around the turned patch, in the sample."""
    rotation: float
    """Degrees counter-clockwise."""
    jitter: Jitter

    def needs(self) -> set[str]:
        """The image the patch is cut from, where that is another one."""
        return {self.patch_sha256} - {""}


class PatchSynthesizer(Synthesizer[PatchParams]):
    """Cut a patch, jitter its colours, turn it, and paste it onto the foreground."""

    params_type = PatchParams

    patch_from: Literal["same", "other"] = "same"
    """The patch's image: same (the sample's own), or other (another normal image of the same category)."""
    rotation: DegreesRange = (0.0, 0.0)
    """Turn of the patch, [low, high] in degrees counter-clockwise, drawn uniformly."""
    jitter: Share = 0.1
    """Colour jitter: brightness, contrast and saturation by 1 ± jitter, hue by ± jitter of the circle."""
    min_overlap: Share = 0.25
    """Least share of the drawn defect that must lie on the foreground, before it is clipped to it, 0 to 1."""

    def needs_other_images(self) -> bool:
        """Whether patches come from another image."""
        return self.patch_from == "other"

    @abstractmethod
    def size(self, stream: Stream, scene: Scene) -> tuple[int, int]:
        """Draw the patch's width and height in pixels."""

    @classmethod
    @abstractmethod
    def shape(cls, width: int, height: int) -> Pixels:
        """The patch's own alpha (height, width) at full opacity, before it is turned."""

    def draw(self, stream: Stream, scene: Scene) -> PatchParams:
        """Take every random decision: source, size, cut, turn, place, colours, opacity."""
        sha256 = other_image(stream, scene) if self.patch_from == "other" else ""
        origin = scene.library.scene(sha256) if sha256 else scene
        width, height = self.size(stream, scene)
        rotation = stream.uniform(self.rotation)
        turned_width, turned_height = turned_size(width, height, rotation)
        image_height, image_width = scene.image.shape[:2]
        if turned_width > image_width or turned_height > image_height:
            shrink = min(image_width / turned_width, image_height / turned_height)
            width, height = max(1, int(width * shrink) - 1), max(1, int(height * shrink) - 1)
            turned_width, turned_height = turned_size(width, height, rotation)
        return PatchParams(
            delta=stream.uniform(self.delta),
            patch_sha256=sha256,
            cut=place(stream, origin, width, height, self.min_overlap),
            target=place(stream, scene, turned_width, turned_height, self.min_overlap),
            rotation=rotation,
            jitter=Jitter.draw(stream, self.jitter),
        )

    @classmethod
    def make(cls, scenes: Sequence[Scene], params: Sequence[PatchParams], device: str) -> Iterable[Defect]:
        """Cut, jitter, turn; patches are small, so this is done on the CPU whatever the device."""
        return map(cls._patch, scenes, params)

    @classmethod
    def _patch(cls, scene: Scene, params: PatchParams) -> Defect:
        origin = scene.library.scene(params.patch_sha256) if params.patch_sha256 else scene
        cut = params.cut
        pixels = params.jitter.apply(np.ascontiguousarray(cut.of(origin.image)))
        alpha = opacity(cls.shape(cut.width, cut.height), params.delta)
        pixels, alpha = turned(pixels, alpha, params.rotation)
        return Defect(params.target.left, params.target.top, pixels, alpha)


class AreaPatchSynthesizer(PatchSynthesizer):
    """A patch whose size is drawn as a share of the image and an aspect."""

    area: PositiveShareRange = (0.02, 0.15)
    """Share of the image that the patch covers, [low, high], above 0 to 1, drawn uniformly."""
    aspect: PositiveRange = (0.3, 3.3)
    """Width / height, [low, high], drawn log-uniformly on either side of 1."""

    def size(self, stream: Stream, scene: Scene) -> tuple[int, int]:
        """Width and height from area and aspect."""
        return patch_size(stream, scene, self.area, self.aspect)


def opacity(alpha: Pixels, delta: float) -> Pixels:
    """Scale an alpha by an opacity; what was above 0 stays in the mask."""
    if delta == 1:
        return alpha
    scaled = np.rint(np.arange(256) * delta).astype(np.uint8)
    scaled[1:] = np.maximum(scaled[1:], 1)
    return np.asarray(scaled[alpha])


def other_image(stream: Stream, scene: Scene) -> str:
    """Another normal image of the scene's category; the scene's own where there is no other."""
    others = scene.library.peers(scene.category)
    choice = others[stream.integer(0, len(others) - 1)]
    if choice == scene.sha256 and len(others) > 1:
        choice = others[(others.index(choice) + stream.integer(1, len(others) - 1)) % len(others)]
    return choice

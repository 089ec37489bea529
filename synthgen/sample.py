"""A sample and its facts: what stands in a shard beside the pixels, with a fixed and typed schema."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.images.pixels import Pixels
from synthgen.images.preparation import Tile
from synthgen.scene import Scene

FORMAT_VERSION = 1
SHARE_DIGITS = 6
"""To which shares are rounded in the facts."""


class AbnormalityFacts(FrozenModel):
    """How a defect compares with the variation of good products, in cells of 8 x 8 pixels."""

    share: float
    """Share of the mask in cells beyond normal variation, 0–1; 0 where there is no defect."""
    excess: float
    """Mean distance of its cells from the nearest normal one, as a multiple of the distance at which normal
    variation ends, less 1; 0 where there is no defect."""
    abnormal: bool
    """Whether that is enough by the recipe; false where there is no defect."""
    looked_normal: list[str]
    """The methods of the attempts before, in order, whose defects looked like good products."""


class Facts(FrozenModel):
    """The record of one sample (`KEY.json`): each field but ``tile`` is in all, never null, of one type.

    Lengths are pixels of the written image, boxes ``[left, top, right, bottom]`` with the last two excluded.
    ``params`` is one JSON string with all that a replay needs: how the normal image was prepared, the
    foreground rule, and every number the method drew.
    """

    format_version: int
    """Version of the facts and shards."""
    fingerprint: str
    """Hash of the plan that made the sample."""
    seed: int
    """The recipe's seed; with the index it names every random decision."""
    index: int
    """The sample's number in the plan, from 0."""
    key: str
    """The index with nine digits: the members' name in the shard."""
    category: str
    """The product, as the source names it."""
    split: Literal["train", "held-out"]
    """The normal image's side of the split: ``held-out`` ones are for judging detectors."""
    source_path: str
    """Path of the normal image, relative to the source's root."""
    source_sha256: str
    """sha256 of the normal image's file."""
    tile: Annotated[Tile | None, Field(exclude_if=lambda tile: tile is None)] = None
    """Top and left, in the normal image as decoded, of the pixels that the sample shows; only there with
    ``resize: tile``."""
    height: int
    """Rows of the image, pixels."""
    width: int
    """Columns of the image, pixels."""
    channels: int
    """1 grey, 3 RGB."""
    label: int
    """0 normal, 1 anomalous; the same number as `KEY.cls`."""
    outcome: Literal["normal", "anomalous", "rejected"]
    """What became of it; ``rejected``: no attempt passed the judge, so the sample was left normal."""
    reason: str
    """Why the last attempt failed; empty unless rejected."""
    attempts: int
    """How often a defect was drawn; 0 for a sample that was to be normal."""
    method: str
    """The synthesizer asked for; ``none`` for a sample that was to be normal."""
    strength: float
    """``delta`` (opacity, weight of the anomaly) or ``s`` (diffusion); 0 for a normal sample."""
    strength_name: Literal["delta", "s", "none"]
    """Which strength that is."""
    paired: bool
    """Whether a normal image exists that equals the sample outside the mask."""
    box: list[int]
    """Bounding box of the mask: left, top, right, bottom, the last two excluded; zeros if normal."""
    area_pixels: int
    """Pixels of the mask."""
    area: float
    """Share of the image that the mask covers, 0–1."""
    contrast: float
    """Mean over the mask of the largest channel change, grey levels."""
    contrast_mean: float
    """Mean over the mask and the channels of the absolute change, grey levels."""
    contrast_lab: float
    """Mean CIE 1976 colour difference (Lab, D65) of at most 1,024 pixels, evenly spaced in the mask."""
    abnormality: Annotated[AbnormalityFacts | None, Field(exclude_if=lambda found: found is None)] = None
    """How abnormal the defect is, only there with ``judge.abnormal``: the share of the mask in cells (8 x 8
    pixels) beyond normal variation; its cells' mean distance from normal, as a multiple of where that
    variation ends, less 1; whether it is abnormal by the recipe; and the methods of attempts before that
    were not."""
    product_type: Literal["texture", "object"]
    """``texture``: everything is foreground; ``object``: a rule or a mask finds the product."""
    foreground_area: float
    """Share of the image that is foreground, 0–1."""
    foreground_overlap: float
    """Share of the defect, as drawn, that lay on the foreground before it was clipped to it; 0 if normal."""
    params: str
    """The record for a replay, as JSON text."""


def sample_key(index: int) -> str:
    """The key of a sample, the same in shards of any size; no dots, sorted as the indices are."""
    return f"{index:09d}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished sample: ``image`` (H, W, C), ``mask`` (H, W) with 0 and 255, both uint8."""

    facts: Facts
    image: Pixels
    mask: Pixels
    scene: Scene
    """The normal image it was made from, as prepared: ``scene.image`` (H, W, C) uint8."""
    doubtful: npt.NDArray[np.bool_] | None = None
    """(H, W): the mask's pixels in cells that look like good products; None without ``judge.abnormal``."""

    @property
    def normal(self) -> Pixels:
        """The paired normal image (H, W, C) uint8."""
        return self.scene.image

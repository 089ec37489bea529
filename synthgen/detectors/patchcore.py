"""PatchCore: the distance to the nearest of a bank of normal patches (Roth et al., CVPR 2022)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from synthgen.detectors.base import DetectorSettings, Fitting, State
from synthgen.detectors.common.anomaly_maps import MapEnlarger
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.coreset import greedy_coreset
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.common.features import Features, neighbourhood_patches
from synthgen.streams import Stream

BANK_TOGETHER = 4096
"""Patches of the bank that are compared with an image's patches at a time."""


class PatchcoreSettings(DetectorSettings):
    """PatchCore's settings, by default the paper's."""

    coreset: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the training patches that is kept in the bank."""
    projection: Annotated[int, Field(ge=1)] = 128
    """Dimensions of the random projection in which the bank is chosen."""
    reweighting: bool = True
    """Whether equation 7 lowers scores whose nearest patch lies among many others."""
    neighbours: Annotated[int, Field(ge=2)] = 9
    """How many of the bank's patches closest to the nearest one, itself included, equation 7 looks at."""


class Patchcore(FeatureDetector):
    """The features of section 3.1 (equations 1 to 3), the bank of 3.2 and the scores of 3.3."""

    method = "patchcore"
    settings_type = PatchcoreSettings
    stages = (2, 3)
    settings: PatchcoreSettings

    def __init__(self, settings: PatchcoreSettings, backbone: Backbone, device: torch.device) -> None:
        super().__init__(settings, backbone, device)
        self._enlarge = MapEnlarger(self._side(), settings.image_size, settings.smoothing, device)

    def _fit(self, fitting: Fitting) -> State:
        patches = self._training_patches(fitting)
        count = max(1, int(self.settings.coreset * len(patches)))
        if count == len(patches):
            return {"bank": patches}
        first = Stream(fitting.seed, 0, "first centre").integer(0, len(patches) - 1)
        kept = greedy_coreset(self._project(patches, fitting.seed), count, first, fitting.progress)
        return {"bank": patches[kept.to(patches.device)]}

    def _prepare(self, state: State) -> None:
        self._bank = state["bank"].view(-1, sum(self.backbone.channels.values()))
        self._norms = self._bank.square().sum(1)

    def _score_features(self, features: Features) -> tuple[Tensor, Tensor]:
        """The map is each patch's distance to the bank (equation 6), the score that of the farthest one."""
        patches = neighbourhood_patches(features)
        images, locations, channels = patches.shape
        flat = patches.view(-1, channels)
        nearest = self._nearest(flat)
        distances = (flat - self._bank[nearest]).norm(dim=1).view(images, locations)
        scores, farthest = distances.max(1)
        if self.settings.reweighting and len(self._bank) > 1:
            image = torch.arange(images, device=self.device)
            scores = scores * self._weights(
                patches[image, farthest], nearest.view(images, locations)[image, farthest], scores
            )
        return scores, self._enlarge(distances.view(images, self._side(), self._side()))

    def _training_patches(self, fitting: Fitting) -> Tensor:
        """All patches of all images, (N, D)."""
        locations, channels = self._side() ** 2, sum(self.backbone.channels.values())
        patches = torch.empty(len(fitting.normals), locations, channels, device=self.device)
        done = 0
        for features in self._training_features(fitting):
            batch = neighbourhood_patches(features)
            patches[done : done + len(batch)] = batch
            done += len(batch)
        return patches.view(-1, channels)

    def _project(self, patches: Tensor, seed: int) -> Tensor:
        """A Gaussian random projection, which keeps distances nearly (Johnson and Lindenstrauss, 1984)."""
        shape = patches.shape[1], self.settings.projection
        if shape[1] >= shape[0]:
            return patches
        directions = torch.from_numpy(Stream(seed, 0, "projection").gaussian(shape)).to(self.device)
        return patches @ (directions / shape[1] ** 0.5)

    def _nearest(self, patches: Tensor) -> Tensor:
        """Positions in the bank of the patches' nearest neighbours, (N,)."""
        best = torch.full((len(patches),), torch.inf, device=self.device)
        positions = torch.zeros(len(patches), dtype=torch.int64, device=self.device)
        for start in range(0, len(self._bank), BANK_TOGETHER):
            bank, norms = self._bank[start:][:BANK_TOGETHER], self._norms[start:][:BANK_TOGETHER]
            # Squared, and without the patch's own squared norm, which is the same for all of the bank.
            distances, found = torch.addmm(norms, patches, bank.mT, alpha=-2).min(1)
            nearer = distances < best
            best = torch.where(nearer, distances, best)
            positions = torch.where(nearer, found + start, positions)
        return positions

    def _weights(self, patches: Tensor, nearest: Tensor, distances: Tensor) -> Tensor:
        """Equation 7's factor, (B,): 1 - exp(d*) / sum of exp(d) over the nearest one's neighbours.

        ``patches`` (B, D) are each image's farthest, ``nearest`` (B,) the positions in the bank of what is
        nearest to them, at ``distances`` (B,); its neighbours in the bank include itself.
        """
        # By matrix products a patch's distance to itself would be rounded to more than 0.
        to_bank = torch.cdist(self._bank[nearest], self._bank, compute_mode="donot_use_mm_for_euclid_dist")
        about = to_bank.topk(min(self.settings.neighbours, len(self._bank)), largest=False).indices
        exponents = (patches[:, None] - self._bank[about]).norm(dim=2)
        return 1 - (distances - exponents.logsumexp(1)).exp()

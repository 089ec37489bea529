"""Where in an image an anomaly is: by the density of all patches, or by the gradient of the classes."""

import torch
from torch import Tensor, nn

from synthgen.detectors.common.anomaly_maps import MapEnlarger
from synthgen.detectors.common.gaussian_density import GaussianDensity
from synthgen.detectors.cutpaste.networks import PatchNetwork, pooled


class PatchMaps:
    """The distance of every patch, at steps of 4 pixels, from the normal patches (section 2.4 of the paper).

    A value stands at the middle of its patch; nearer to the border the outermost ones go on.
    """

    def __init__(self, patch: int, image_size: int, smoothing: float, device: torch.device) -> None:
        self.side = (image_size - patch) // PatchNetwork.stride + 1
        centres = [patch / 2 + PatchNetwork.stride * position for position in range(self.side)]
        self._enlarge = MapEnlarger(self.side, image_size, smoothing, device, centres)

    def embed(self, network: PatchNetwork, images: Tensor) -> Tensor:
        """Embeddings (B, side, side, D) of the patches that lie in the images."""
        return network.embed(images)[:, : self.side, : self.side]

    def __call__(self, network: PatchNetwork, density: GaussianDensity, images: Tensor) -> Tensor:
        """(B, H, W) of images (B, 3, H, W)."""
        return self._enlarge(density.distances(self.embed(network, images)))


def grad_cam(head: nn.Module, features: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al., ICCV 2017) of the odds that an image is anomalous, (B, h, w).

    ``features``: the last stage's (B, C, h, w). The head sees their mean alone, so that the gradient is the
    same at every place, and only the head has to be differentiated.
    """
    # Scoring runs in inference mode, which keeps no gradients.
    with torch.inference_mode(False), torch.enable_grad():
        means = pooled(features).clone().requires_grad_()
        logits = head(means)
        odds = logits[:, 1:].logsumexp(1) - logits[:, 0]
        (weights,) = torch.autograd.grad(odds.sum(), means)
    return torch.einsum("bc,bchw->bhw", weights, features).relu()

"""Where a network looks when it tells an image from its changed copy."""

import torch
from torch import Tensor
from torch.nn import functional

from synthgen.detectors.common.backbone import Backbone

GRAD_CAM = "Grad-CAM"


def attention(backbone: Backbone, normals: Tensor, images: Tensor) -> dict[str, Tensor]:
    """Attention maps (B, h, w) float32, 0 or more, by name: the features' difference, and Grad-CAM.

    ``normals`` and ``images`` are (B, 3, H, W) float32 in [0, 1], pairs on the backbone's device. A
    stage's map is the sum over channels of the squared difference. Grad-CAM (Selvaraju et al., ICCV 2017,
    equations 1 and 2) is taken at the last stage of the image's features, and of minus the cosine between
    both pictures' mean features: it shows what makes the image unlike the good product.
    """
    with torch.no_grad():
        good, found = backbone(normals), backbone(images)
    maps = {f"stage {stage}": (found[stage] - good[stage]).square().sum(1) for stage in backbone.stages}
    last = backbone.stages[-1]
    return maps | {GRAD_CAM: grad_cam(good[last], found[last])}


def grad_cam(good: Tensor, found: Tensor) -> Tensor:
    """Grad-CAM (B, h, w) of minus the cosine between the mean features of both, at ``found``.

    ``good`` and ``found`` are features (B, C, h, w).
    """
    with torch.enable_grad():
        features = found.detach().requires_grad_(True)
        cosines = functional.cosine_similarity(good.mean((2, 3)), features.mean((2, 3)))
        (gradients,) = torch.autograd.grad(-cosines.sum(), features)
    weights = gradients.mean((2, 3), keepdim=True)
    return (weights * found).sum(1).clamp(min=0)


def shares_inside(maps: Tensor, masks: Tensor) -> Tensor:
    """Of each map (B, h, w) the share of its sum that lies in the mask (B, H, W) bool, (B,) float64.

    A place counts by the share of its pixels that the mask covers. A map that is 0 everywhere has its mask's
    share of the area: it tells nothing.
    """
    wide = maps.double()
    height, width = wide.shape[1:]
    cover = functional.adaptive_avg_pool2d(masks[:, None].double(), (height, width))[:, 0]
    total = wide.sum((1, 2))
    inside = (wide * cover).sum((1, 2)) / total.clamp(min=torch.finfo(torch.float64).tiny)
    return torch.where(total > 0, inside, cover.mean((1, 2)))

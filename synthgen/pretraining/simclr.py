"""SimCLR (Chen et al., ICML 2020): each view is to find the other one of its image among all others."""

import torch
from torch import Generator, Tensor
from torch.nn import functional

from synthgen.detectors.common.backbone import Backbone
from synthgen.pretraining.base_method import BaseLoss, BaseMethod, Encoder, channels_of, initialise, mlp

WIDTH = 128
TEMPERATURE = 0.2


class SimClr(BaseMethod):
    """An encoder with a projector of two layers."""

    def __init__(self, backbone: Backbone, generator: Generator) -> None:
        channels = channels_of(backbone)
        super().__init__(Encoder(backbone, mlp([channels, channels, WIDTH])))
        initialise(self.encoder.projector, generator)

    def forward(self, first: Tensor, second: Tensor, numbers: Tensor) -> BaseLoss:
        """NT-Xent of both views, which pass the encoder together."""
        outputs = self.encoder(torch.cat([first, second]))
        return BaseLoss(nt_xent(*outputs.chunk(2)), outputs)


def nt_xent(first: Tensor, second: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """The normalised, temperature-scaled cross entropy (equation 1), averaged over all 2 N views.

    ``first`` and ``second``: (N, D), of the same N images.
    """
    views = functional.normalize(torch.cat([first, second]), dim=1)
    similarities = (views @ views.mT / temperature).fill_diagonal_(-torch.inf)
    partners = torch.arange(len(views), device=views.device).roll(len(first))
    return functional.cross_entropy(similarities, partners)

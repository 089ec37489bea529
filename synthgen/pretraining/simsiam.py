"""SimSiam (Chen and He, CVPR 2021): each view's prediction is to be the other's projection, which is fixed.

Written from the paper's section 3 and its appendix A.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from synthgen.detectors.common.backbone import Backbone
from synthgen.pretraining.base_method import BaseLoss, BaseMethod, Encoder, channels_of, initialise, mlp

NARROWING = 4
"""How many times narrower the predictor's hidden layer is than the projection."""


class SimSiam(BaseMethod):
    """An encoder with a projector of three layers, and a predictor whose learning rate does not fall.

    The projection is as wide as a published one is beside its backbone: as the mean features.
    """

    def __init__(self, backbone: Backbone, generator: Generator) -> None:
        width = channels_of(backbone)
        super().__init__(Encoder(backbone, mlp([width, width, width, width], last_norm=True)))
        self.predictor = mlp([width, width // NARROWING, width])
        initialise(self.encoder.projector, generator)
        initialise(self.predictor, generator)

    def forward(self, first: Tensor, second: Tensor, numbers: Tensor) -> BaseLoss:
        """The symmetric loss; both views pass the encoder together."""
        outputs = self.encoder(torch.cat([first, second]))
        one, other = outputs.chunk(2)
        one_predicted, other_predicted = self.predictor(outputs).float().chunk(2)
        return BaseLoss(symmetric_loss(one_predicted, other_predicted, one, other), outputs)

    @property
    def at_constant_rate(self) -> Sequence[nn.Parameter]:
        """The predictor's."""
        return list(self.predictor.parameters())


def symmetric_loss(one_predicted: Tensor, other_predicted: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Half of both negative cosines (equations 1 to 4), all (N, D), averaged over images.

    No gradient reaches the projections ``one`` and ``other``.
    """
    similar = functional.cosine_similarity(one_predicted, other.detach())
    similar_too = functional.cosine_similarity(other_predicted, one.detach())
    return -(similar + similar_too).mean() / 2

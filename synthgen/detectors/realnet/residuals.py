"""Reconstruction residuals selection (RRS, section 3.3): of each image, the residuals that stand out most."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

EPSILON = 1e-5


class ResidualSelection(nn.Module):
    """Ranks residuals by how much they stand out, and takes the strongest as they were before.

    Residuals of different stages are only comparable once each channel is normalised. The published code does
    that by a batch norm with a momentum of 0.9, whose statistics are nearly those of the last training batch
    when it comes to testing. Here they are the batch's own while training, and afterwards those that
    `calibrate` found over many batches, so that an image's residuals do not depend on its batch.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, strongest: int | None) -> None:
        """``strongest``: so many by their maximum and by their mean (r / 2); None keeps all."""
        super().__init__()
        self._strongest = strongest
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, residuals: Tensor) -> Tensor:
        """(B, C, H, W) to (B, r, H, W) by rank, so that no channel has a place of its own; or all of them."""
        if self._strongest is None:
            return residuals
        order = strongest_channels(self.normalised(residuals.detach()), self._strongest)
        return torch.take_along_dim(residuals, order[:, :, None, None], 1)

    def standing_out(self, residuals: Tensor) -> Tensor:
        """As the other, but normalised: how much each place stands out."""
        normalised = self.normalised(residuals)
        if self._strongest is None:
            return normalised
        order = strongest_channels(normalised, self._strongest)
        return torch.take_along_dim(normalised, order[:, :, None, None], 1)

    def normalised(self, residuals: Tensor) -> Tensor:
        """Each channel with the mean 0 and the variance 1."""
        mean, variance = self.mean, self.variance
        if self.training:
            mean, variance = residuals.mean((0, 2, 3)), residuals.var((0, 2, 3), correction=0)
        return (residuals - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + EPSILON).sqrt()

    def forget(self) -> None:
        """Go back to the statistics that change nothing."""
        self.mean.zero_()
        self.variance.fill_(1)

    def calibrate(self, batches: Iterable[Tensor]) -> None:
        """Take over the statistics of at least one batch of residuals (B, C, H, W)."""
        means, squares = [], []
        for residuals in batches:
            means.append(residuals.double().mean((0, 2, 3)))
            squares.append(residuals.double().square().mean((0, 2, 3)))
        mean = torch.stack(means).mean(0)
        self.mean.copy_(mean)
        self.variance.copy_((torch.stack(squares).mean(0) - mean.square()).clamp_min(0))


def strongest_channels(normalised: Tensor, count: int) -> Tensor:
    """Channels (B, 2 * count) of each image (B, C, H, W): the highest maxima, then the highest means.

    Each half begins with the strongest; of equals the first channel comes first, which the published code
    leaves open. A channel may be in both halves.
    """
    values = normalised.flatten(2)
    ranked = [
        torch.argsort(strength, dim=1, descending=True, stable=True)[:, :count]
        for strength in (values.amax(2), values.mean(2))
    ]
    return torch.cat(ranked, 1)

"""What the segmenter learns: an adaptor, a map of scores, and a score of the whole image."""

import torch
from torch import Generator, Tensor, nn

from synthgen.detectors.common.backbone import blank

IMAGE_WIDTH = 64
"""Channels that the image's score looks at."""
SLOPE = 0.2


class SegmenterNetwork(nn.Module):
    """SuperSimpleNet's head, with a depthwise convolution so that a cell sees those beside it.

    It is given the channels' distances from their means beside the channels themselves: what is far from
    normal in either direction is then anomalous to a linear map, also where no sample was. The published
    image head's 5 x 5 convolution is a 1 x 1 here, a twentieth of the work.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.adaptor = blank(nn.Conv2d, 2 * channels, width, 1)
        self.discriminator = nn.Sequential(
            blank(nn.Conv2d, width, width, 3, padding=1, groups=width, bias=False),
            blank(nn.Conv2d, width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(SLOPE),
        )
        self.map = blank(nn.Conv2d, width, 1, 1, bias=False)
        self.image = nn.Sequential(
            blank(nn.Conv2d, width + 1, IMAGE_WIDTH, 1, bias=False),
            nn.BatchNorm2d(IMAGE_WIDTH),
            nn.ReLU(),
        )
        self.score = blank(nn.Linear, 2 * IMAGE_WIDTH + 2, 1)

    def initialise(self, generator: Generator) -> None:
        """Start afresh: Glorot's normal weights, as published, and zero biases."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_normal_(module.weight, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()

    def forward(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, side, side) and scores (B,) of standardised cells (B, C, side, side).

        What is above 0 is anomalous.
        """
        hidden = self.discriminator(self.adaptor(torch.cat([cells, cells.abs()], dim=1)))
        maps = self.map(hidden)
        # The image's score learns to read the map, and does not change it.
        seen = self.image(torch.cat([hidden, maps], dim=1).detach())
        fixed = maps.detach()
        pooled = [each for values in (seen, fixed) for each in (values.amax((2, 3)), values.mean((2, 3)))]
        return maps[:, 0], self.score(torch.cat(pooled, dim=1))[:, 0]

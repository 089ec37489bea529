"""All that RealNet learns: the choice of channels and residuals, the reconstruction, the discriminator."""

import torch
from torch import Generator, Tensor, nn

from synthgen.detectors.common.features import Features
from synthgen.detectors.realnet.discriminator import Discriminator
from synthgen.detectors.realnet.reconstruction import ReconstructionNetwork
from synthgen.detectors.realnet.residuals import ResidualSelection
from synthgen.detectors.realnet.selection import resized
from synthgen.detectors.realnet.settings import Architecture

LARGEST = 20.0
"""Standard deviations at which normalised features are cut off; half precision holds their squares."""

Blocks = list[Tensor]
"""By block: its selected features (B, C, side, side)."""


class Network(nn.Module):
    """The networks of an architecture, and what goes from one to the next."""

    def __init__(
        self,
        architecture: Architecture,
        channels: dict[int, int],
        image_size: int,
        *,
        selects_residuals: bool,
    ) -> None:
        """``channels``: of the backbone, by stage."""
        super().__init__()
        self._architecture = architecture
        self._sides = [-(-image_size // block.stride) for block in architecture.blocks]
        for block in architecture.blocks:
            for stage, count in block.kept.items():
                self.register_buffer(f"kept_{stage}", torch.arange(count))
                self.register_buffer(f"mean_{stage}", torch.zeros(channels[stage]))
                self.register_buffer(f"deviation_{stage}", torch.ones(channels[stage]))
        self.reconstruction = nn.ModuleList(
            ReconstructionNetwork(
                sum(block.kept.values()), block.width, architecture.multipliers, architecture.depth
            )
            for block in architecture.blocks
        )
        strongest = architecture.strongest if selects_residuals else None
        self.selection = ResidualSelection(architecture.channels, strongest)
        judged = 2 * strongest if strongest else architecture.channels
        self.discriminator = Discriminator(judged, architecture.widths)

    @property
    def side(self) -> int:
        """Height and width of the residuals."""
        return max(self._sides)

    def initialise(self, generator: Generator) -> None:
        """Start afresh: He's uniform weights, zero biases, and reconstructions of zero.

        The published code leaves torch's smaller weights, with which the discriminator's narrow layers take
        longer to learn anything.
        """
        networks = []
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.GroupNorm | nn.BatchNorm2d):
                module.reset_parameters()
            elif isinstance(module, ReconstructionNetwork):
                networks.append(module)
        for network in networks:
            network.begin_at_zero()
        for name, buffer in self.named_buffers(recurse=False):
            buffer.fill_(float(name.startswith("deviation")))
        self.selection.forget()

    def normalise_by(self, stage: int, mean: Tensor, deviation: Tensor) -> None:
        """Bring a stage's channels (C,) to the mean 0 and the standard deviation 1 from now on."""
        self.get_buffer(f"mean_{stage}").copy_(mean)
        self.get_buffer(f"deviation_{stage}").copy_(deviation)

    def keep(self, stage: int, channels: Tensor) -> None:
        """Look at these of a stage's channels from now on."""
        self.get_buffer(f"kept_{stage}").copy_(channels)

    def on_grid(self, features: Features) -> Features:
        """All channels of the backbone's features, normalised, at the size of their reconstruction."""
        found = {}
        for block, side in zip(self._architecture.blocks, self._sides, strict=True):
            for stage in block.kept:
                mean, deviation = (
                    self.get_buffer(f"{name}_{stage}").view(-1, 1, 1) for name in ("mean", "deviation")
                )
                found[stage] = resized((features[stage] - mean) / deviation, side)
        if self._architecture.scaled:
            found = {stage: values.clamp_(-LARGEST, LARGEST) for stage, values in found.items()}
        return found

    def selected(self, on_grid: Features) -> Blocks:
        """The kept channels of each block."""
        return [
            torch.cat([on_grid[stage][:, self.get_buffer(f"kept_{stage}")] for stage in block.kept], 1)
            for block in self._architecture.blocks
        ]

    def reconstructed(self, blocks: Blocks) -> Blocks:
        """What they would be of the same products without anomalies."""
        return [network(given) for network, given in zip(self.reconstruction, blocks, strict=True)]

    def residuals(self, blocks: Blocks, reconstructed: Blocks) -> Tensor:
        """Squared differences (B, C, side, side) of all blocks, at the size of the finest."""
        return torch.cat(
            [
                resized((given - found).square(), self.side)
                for given, found in zip(blocks, reconstructed, strict=True)
            ],
            1,
        )

    def logits(self, residuals: Tensor, image_size: int) -> Tensor:
        """Of normal and anomalous, (B, 2, image_size, image_size)."""
        return resized(self.discriminator(self.selection(residuals)), image_size)

"""RealNet as a detector: selection of features, training, scores."""

import torch
from torch import Tensor
from torch.nn import functional

from synthgen.detectors.base import Fitting, State
from synthgen.detectors.common.anomaly_maps import MapEnlarger
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.common.features import Features
from synthgen.detectors.common.training import constant, cosine, train
from synthgen.detectors.realnet.discriminator import anomalous_share
from synthgen.detectors.realnet.network import Network
from synthgen.detectors.realnet.pairs import KeptPairs, Looked, NewPairs, Pairs
from synthgen.detectors.realnet.selection import ChannelErrors, masks_on_grid, random_channels
from synthgen.detectors.realnet.settings import RealnetSettings, architecture_of, stages_of
from synthgen.detectors.realnet.statistics import channel_statistics
from synthgen.errors import InputError
from synthgen.streams import Stream

SELECTION_BATCHES = 64
"""Batches of samples that the selection of features looks at, as published."""
PASSES = 1000
"""Over the normal images, of A and C."""
SCALED_STEPS = 400
CALIBRATION_BATCHES = 16
"""Batches over which the statistics of the residuals are found after the training."""
WINDOW = 16
"""Side of the windows of a map whose highest mean is the image's score, pixels."""


class Realnet(FeatureDetector):
    """The features of `selection`, reconstructed by `reconstruction`, `residuals` and the `discriminator`.

    The image's score is the highest mean of a 16 x 16 window of the map before it is smoothed, which the
    published code does not do. "residual alone" is the mean of the selected, normalised residuals: what is
    there before the discriminator.
    """

    method = "realnet"
    settings_type = RealnetSettings
    trains = True
    default_recipe = "perlin-texture"
    companions = ("residual alone",)
    settings: RealnetSettings

    @classmethod
    def stages_of(cls, settings: RealnetSettings) -> tuple[int, ...]:
        """Stages 1 to 3, of A and C 4, too."""
        return stages_of(settings)

    def __init__(self, settings: RealnetSettings, backbone: Backbone, device: torch.device) -> None:
        super().__init__(settings, backbone, device)
        side = settings.image_size
        self._architecture = architecture_of(settings, backbone)
        self._batch = settings.batch or self._architecture.batch
        self._network = Network(
            self._architecture, backbone.channels, side, selects_residuals=settings.residuals == "rrs"
        ).to(device)
        self._smooth = MapEnlarger(side, side, settings.smoothing, device)
        self._enlarge = MapEnlarger(self._network.side, side, settings.smoothing, device)

    @property
    def learns_from_anomalies(self) -> bool:
        """Always."""
        return True

    def _fit(self, fitting: Fitting) -> State:
        seed = Stream(fitting.seed, 0, "realnet").integer(0, 2**53)
        self._network.initialise(torch.Generator(self.device).manual_seed(seed))
        with torch.no_grad():
            self._measure_channels(fitting)
            pairs = self._select_channels(fitting)
        steps = self._steps(len(fitting.normals))
        self._train(pairs, steps, fitting)
        self._network.eval()
        with torch.no_grad():
            found = (self._residuals(pairs, step) for step in range(min(CALIBRATION_BATCHES, steps)))
            self._network.selection.calibrate(found)
        return {name: tensor.clone() for name, tensor in self._network.state_dict().items()}

    def _prepare(self, state: State) -> None:
        self._network.load_state_dict(state)
        self._network.eval()

    def _score_features(self, features: Features) -> tuple[Tensor, Tensor]:
        logits = self._network.logits(self._residuals_of(features), self.settings.image_size)
        share = anomalous_share(logits)
        return functional.avg_pool2d(share, WINDOW, stride=1).amax((1, 2)), self._smooth(share)

    def _score_companion(self, name: str, images: Tensor) -> tuple[Tensor, Tensor]:
        residuals = self._residuals_of(self._extract(images))
        maps = self._enlarge(self._network.selection.standing_out(residuals).mean(1))
        return maps.amax((1, 2)), maps

    def _measure_channels(self, fitting: Fitting) -> None:
        """Go through the normal images, and normalise their channels where the architecture does."""
        statistics = channel_statistics(self._training_features(fitting))
        if self._architecture.scaled:
            for stage, (mean, deviation) in statistics.items():
                self._network.normalise_by(stage, mean, deviation)

    def _select_channels(self, fitting: Fitting) -> Pairs:
        """Select them on samples, which are kept where the architecture does."""
        errors, kept = self._look_at_samples(fitting)
        for block in self._architecture.blocks:
            for stage, channels in block.kept.items():
                self._network.keep(stage, self._chosen(stage, channels, errors[stage], fitting.seed))
        size = self._batch // 2
        if self._architecture.scaled:
            return KeptPairs.of(self._network, kept, size, fitting.seed)
        return NewPairs(fitting.samples, self._extract, self._network, size)

    def _look_at_samples(self, fitting: Fitting) -> tuple[dict[int, ChannelErrors], list[Looked]]:
        """Each stage's errors over the selection's samples, and these themselves where they are kept."""
        count = self.settings.samples if self._architecture.scaled else SELECTION_BATCHES * self._batch
        errors = {stage: ChannelErrors() for stage in self.backbone.channels}
        kept: list[Looked] = []
        done = shown = vanished = 0
        for batch in fitting.samples.batches(-(-count // SELECTION_BATCHES), count):
            both = self._network.on_grid(self._extract(torch.cat([batch.images, batch.normals])))
            masks = batch.masks.to(self.device)
            for stage, values in both.items():
                changed, normal = values.chunk(2)
                on_grid = masks_on_grid(masks, values.shape[-1])
                errors[stage].add(changed, normal, on_grid)
            if self._architecture.scaled:
                kept.append(({stage: values.half() for stage, values in both.items()}, masks))
            there = masks.flatten(1).any(1)
            shown += int(there.sum())
            vanished += int((there & ~on_grid.flatten(1).any(1)).sum())
            done += len(masks)
            fitting.progress(done, count)
        if not shown:
            raise InputError(
                f"none of {count} samples shows an anomaly, and realnet learns from their masks; take "
                "another recipe"
            )
        if vanished:
            self.notes.append(
                f"{vanished} of {shown} anomalies are too small for the coarsest features, whose selection "
                "took these samples for normal"
            )
        return errors, kept

    def _chosen(self, stage: int, count: int, errors: ChannelErrors, seed: int) -> Tensor:
        if self.settings.selection == "afs":
            return errors.best(count)
        return random_channels(count, self.backbone.channels[stage], stage, seed)

    def _steps(self, images: int) -> int:
        published = PASSES * -(-images // self._batch)
        return self.settings.steps or (SCALED_STEPS if self._architecture.scaled else published)

    def _train(self, pairs: Pairs, steps: int, fitting: Fitting) -> None:
        network = self._network.train()
        optimizer = torch.optim.Adam(network.parameters(), self._architecture.rate)
        schedule = cosine if self._architecture.scaled else constant

        def loss(step: int, generator: torch.Generator) -> Tensor:
            given, wanted, masks = pairs.batch(step)
            reconstructed = network.reconstructed(given)
            logits = network.logits(network.residuals(given, reconstructed), self.settings.image_size)
            reconstruction = [functional.mse_loss(*both) for both in zip(reconstructed, wanted, strict=True)]
            return functional.cross_entropy(logits, masks.long()) + torch.stack(reconstruction).sum()

        train({"network": network}, [optimizer], loss, steps, fitting, device=self.device, schedule=schedule)

    def _residuals(self, pairs: Pairs, step: int) -> Tensor:
        given = pairs.batch(step).given
        return self._network.residuals(given, self._network.reconstructed(given))

    def _residuals_of(self, features: Features) -> Tensor:
        blocks = self._network.selected(self._network.on_grid(features))
        return self._network.residuals(blocks, self._network.reconstructed(blocks))

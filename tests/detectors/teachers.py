"""Thin teachers for EfficientAD, whose published ones are too slow to fit many detectors with."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from safetensors.torch import save_file

from synthgen.detectors.efficientad import published
from synthgen.detectors.efficientad.networks import Convolution, PatchDescriptionNetwork, initialise

THIN = (
    Convolution(8, 4, pools=True),
    Convolution(8, 4, pools=True),
    Convolution(8, 3),
    Convolution(None, 4),
)
THIN_CHANNELS = 12

_FOLDER = TemporaryDirectory(prefix="synthgen-teachers-")


def use_thin_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let thin networks take the published ones' place."""
    monkeypatch.setattr(published, "NETWORKS", {"small": THIN})
    monkeypatch.setattr(published, "CHANNELS", THIN_CHANNELS)


def thin_teacher() -> PatchDescriptionNetwork:
    """Untrained, always the same."""
    result = PatchDescriptionNetwork(THIN, THIN_CHANNELS)
    initialise(result, torch.Generator().manual_seed(1))
    return result


@cache
def thin_teacher_file() -> str:
    """Its weights, until the tests end."""
    path = Path(_FOLDER.name) / "teacher.safetensors"
    save_file(thin_teacher().state_dict(), path)
    return str(path)

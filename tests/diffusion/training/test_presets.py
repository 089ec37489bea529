"""The presets: what they cost, which networks they are, and which sizes they take."""

import re
from functools import lru_cache
from typing import Any, NamedTuple

import pytest
import torch
from diffusers import UNet2DModel
from torch.utils.flop_counter import FlopCounterMode

from synthgen.diffusion.training import presets
from synthgen.diffusion.training.presets import PRESETS, PresetName, Variance, unet_config
from synthgen.errors import InputError

NAMES: list[PresetName] = ["tiny", "small", "base", "adm"]


class Cost(NamedTuple):
    """Of one pass with one image."""

    millions_of_parameters: float
    billions_of_multiply_adds: float


def without_memory(config: dict[str, Any]) -> UNet2DModel:
    with torch.device("meta"):
        return UNet2DModel(**config)


@lru_cache
def cost(name: PresetName, size: int) -> Cost:
    config = unet_config(name, size, 3, 0, PRESETS[name].variance)
    network = without_memory(config)
    side = config["sample_size"]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, config["in_channels"], side, side, device="meta"), 0)
    parameters = sum(weights.numel() for weights in network.parameters())
    return Cost(parameters / 1e6, counter.get_total_flops() / 2e9)


@pytest.mark.parametrize("name", NAMES)
def test_the_table_tells_what_a_preset_costs(name: PresetName) -> None:
    [row] = re.findall(rf"^\| {name} \| (.+) M \| (.+) G at (\d+)² \|", presets.__doc__ or "", re.M)
    parameters, multiply_adds, size = row
    found = cost(name, int(size))
    assert f"{found.millions_of_parameters:.2f}" == parameters
    assert f"{found.billions_of_multiply_adds:.{len(multiply_adds.partition('.')[2])}f}" == multiply_adds


def test_small_can_make_100_images_a_second_where_a_gpu_achieves_200_tflops() -> None:
    steps, multiply_and_add = 20, 2
    a_second = 200e12 / (cost("small", 256).billions_of_multiply_adds * 1e9 * multiply_and_add * steps)
    assert a_second > 100


def test_adm_is_the_published_network() -> None:
    network = without_memory(unet_config("adm", 256, 3, 1000, "learned"))
    # The class-conditional checkpoint 256x256_diffusion.pt of openai/guided-diffusion.
    assert sum(weights.numel() for weights in network.parameters()) == 553_838_086
    sides = {32, 16, 8}
    assert {256 // 2**level for level in PRESETS["adm"].attention} == sides


@pytest.mark.parametrize("variance", ["fixed", "learned"])
@pytest.mark.parametrize(
    ("name", "classes"), [("tiny", 0), ("tiny", 4), ("small", 0), ("base", 2), ("adm", 3)]
)
def test_the_network_takes_what_the_preset_says(name: PresetName, classes: int, variance: Variance) -> None:
    size, packing = PRESETS[name].multiple, PRESETS[name].packing
    config = unet_config(name, size, 3, classes, variance)
    labels = torch.zeros(2, dtype=torch.int64, device="meta") if classes else None
    images = torch.empty(2, 3 * packing**2, size // packing, size // packing, device="meta")
    output = without_memory(config)(images, torch.zeros(2, device="meta"), labels).sample
    twice = 2 if variance == "learned" else 1
    assert output.shape == (2, 3 * packing**2 * twice, size // packing, size // packing)


def test_other_sizes_are_refused_with_a_near_one() -> None:
    with pytest.raises(
        InputError, match="size 100: the preset small takes sides that are multiples of 32, such as 96"
    ):
        unet_config("small", 100, 3, 0, "fixed")
    with pytest.raises(InputError, match="such as 8"):
        unet_config("tiny", 2, 3, 0, "fixed")

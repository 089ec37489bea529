"""From raw output to image and variance: what the configuration says, and Sigma against its equation."""

import json
import math
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler

from synthgen.diffusion.prediction import NetworkOutput, predict
from synthgen.diffusion.schedule import Level, schedule_from_config
from synthgen.errors import InputError

LEVEL = Level(timestep=400, alpha_bar=0.3, alpha_bar_previous=0.4)
LAST = Level(timestep=0, alpha_bar=0.9, alpha_bar_previous=1.0)
X = torch.linspace(-2, 2, 24).reshape(2, 3, 2, 2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, NetworkOutput("epsilon", "fixed_small", 1.0)),
        (
            {"prediction_type": "v_prediction", "clip_sample": False},
            NetworkOutput("v_prediction", "fixed_small", None),
        ),
        (
            {"prediction_type": "sample", "clip_sample_range": 1.5},
            NetworkOutput("sample", "fixed_small", 1.5),
        ),
        ({"variance_type": "fixed_large"}, NetworkOutput("epsilon", "fixed_large", 1.0)),
        ({"variance_type": "learned_range"}, NetworkOutput("epsilon", "learned_range", 1.0)),
        ({"variance_type": "fixed_small_log"}, NetworkOutput("epsilon", "fixed_small", 1.0)),
        ({"variance_type": "fixed_large_log"}, NetworkOutput("epsilon", "fixed_large", 1.0)),
    ],
)
def test_the_output_is_read_from_what_diffusers_writes(
    changes: dict[str, Any], expected: NetworkOutput
) -> None:
    assert NetworkOutput.from_config(json.loads(DDPMScheduler(**changes).to_json_string())) == expected


def test_an_empty_configuration_means_what_it_means_to_diffusers() -> None:
    assert NetworkOutput.from_config({}) == NetworkOutput.from_config(DDPMScheduler().config)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_every_prediction_of_the_same_image_gives_it(prediction_type: str) -> None:
    original, noise = torch.tanh(X), torch.cos(5 * X)
    signal, deviation = math.sqrt(0.3), math.sqrt(0.7)
    outputs = {"epsilon": noise, "v_prediction": signal * noise - deviation * original, "sample": original}
    x = signal * original + deviation * noise
    predicted = predict(
        outputs[prediction_type], x, LEVEL, NetworkOutput(prediction_type, "fixed_small", None)
    )
    torch.testing.assert_close(predicted.original, original, rtol=0, atol=1e-6)


@pytest.mark.parametrize("clip", [0.5, 1.0])
def test_the_image_is_bounded_where_the_kind_says(clip: float) -> None:
    bounded = predict(X, X, LEVEL, NetworkOutput("sample", "fixed_small", clip)).original
    assert torch.equal(bounded, X.clamp(-clip, clip))
    assert torch.equal(predict(X, X, LEVEL, NetworkOutput("sample", "fixed_small", None)).original, X)


def test_fixed_variances() -> None:
    small, large = (
        predict(X, X, LEVEL, NetworkOutput("sample", kind, None)).deviation
        for kind in ("fixed_small", "fixed_large")
    )
    assert small == pytest.approx(math.sqrt(0.6 / 0.7 * 0.25))
    assert large == pytest.approx(math.sqrt(0.25))


def slow_learned_variance(v: float, level: Level) -> float:
    """Nichol & Dhariwal (ICML 2021), eq. 15, with their v as (output + 1) / 2, from the definitions."""
    beta = 1 - level.alpha_bar / level.alpha_bar_previous
    posterior = (1 - level.alpha_bar_previous) / (1 - level.alpha_bar) * beta
    share = (v + 1) / 2
    return math.exp(share * math.log(beta) + (1 - share) * math.log(posterior))


@pytest.mark.parametrize("steps", [20, 1000])
def test_learned_variance_lies_between_the_fixed_ones(steps: int) -> None:
    values = torch.tensor([-1.3, -1.0, -0.4, 0.0, 0.7, 1.0, 1.2])
    x = torch.zeros(1, 1, 1, 7)
    output = torch.cat([x, values.reshape(1, 1, 1, 7)], dim=1)
    for level in schedule_from_config({}, steps).levels[:-1]:
        found = predict(output, x, level, NetworkOutput("epsilon", "learned_range", 1.0)).deviation
        expected = [math.sqrt(slow_learned_variance(v, level)) for v in values.tolist()]
        assert torch.as_tensor(found).flatten().tolist() == pytest.approx(expected, rel=2e-6)
        assert expected[1] == pytest.approx(math.sqrt(level.posterior_variance))
        assert expected[5] == pytest.approx(math.sqrt(level.beta))


@pytest.mark.parametrize("variance_type", ["fixed_small", "fixed_large", "learned_range"])
def test_the_last_level_has_no_variance(variance_type: str) -> None:
    output = torch.cat([X, X], dim=1) if variance_type == "learned_range" else X
    assert predict(output, X, LAST, NetworkOutput("sample", variance_type, None)).deviation == 0


def test_the_learned_channels_are_no_image() -> None:
    output = torch.cat([X, X + 100], dim=1)
    assert torch.equal(predict(output, X, LEVEL, NetworkOutput("sample", "learned_range", None)).original, X)


def test_half_precision_output_is_finished_in_float32() -> None:
    kind = NetworkOutput("epsilon", "learned_range", 1.0)
    output = torch.cat([X, X / 2], dim=1).to(torch.bfloat16)
    half, whole = (predict(each, X, LEVEL, kind) for each in (output, output.float()))
    assert half.original.dtype == torch.float32
    assert torch.equal(half.original, whole.original)
    assert torch.equal(torch.as_tensor(half.deviation), torch.as_tensor(whole.deviation))


@pytest.mark.parametrize(("channels", "variance_type"), [(1, "fixed_small"), (3, "fixed_large")])
def test_a_network_with_a_learned_variance_that_its_scheduler_does_not_know(
    channels: int, variance_type: str
) -> None:
    x = torch.zeros(2, channels, 4, 4)
    with pytest.raises(
        InputError, match=f"gives {2 * channels} channels for images of {channels}.*{variance_type}"
    ):
        predict(x.repeat(1, 2, 1, 1), x, LEVEL, NetworkOutput("epsilon", variance_type, 1.0))


def test_a_network_without_the_learned_variance_of_its_scheduler() -> None:
    with pytest.raises(InputError, match=r"gives 3 channels for images of 3; .* learned_range expects 6"):
        predict(X, X, LEVEL, NetworkOutput("epsilon", "learned_range", 1.0))

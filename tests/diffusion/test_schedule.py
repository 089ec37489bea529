"""Noise levels: those of diffusers for every schedule and spacing, and clear errors for what is refused."""

import json
from typing import Any

import numpy as np
import pytest
from diffusers import DDPMScheduler

from synthgen.diffusion.schedule import Level, Schedule, alpha_bars, respaced, schedule_from_config
from synthgen.errors import InputError

BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
SPACINGS = ("leading", "trailing", "linspace")


def timesteps(schedule: Schedule) -> list[int]:
    return [level.timestep for level in schedule.levels]


def config(**changes: Any) -> dict[str, Any]:
    """What diffusers writes beside a model with these settings."""
    return json.loads(DDPMScheduler(**changes).to_json_string())


@pytest.mark.parametrize("count", [50, 1000])
@pytest.mark.parametrize("name", BETA_SCHEDULES)
def test_alpha_bar_is_that_of_diffusers(name: str, count: int) -> None:
    # Diffusers multiplies in float32; of the cosine's last factor, 0.001, float32 knows five digits.
    theirs = DDPMScheduler(num_train_timesteps=count, beta_schedule=name).alphas_cumprod.double().numpy()
    np.testing.assert_allclose(alpha_bars(count, beta_schedule=name), theirs, rtol=2e-5)


def test_alpha_bar_has_double_precision() -> None:
    np.testing.assert_allclose(alpha_bars(), np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)), rtol=1e-12)


@pytest.mark.parametrize("count", [40, 97])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_timesteps_are_those_of_diffusers_for_every_number_of_steps(spacing: str, count: int) -> None:
    theirs = DDPMScheduler(num_train_timesteps=count, timestep_spacing=spacing)
    for steps in range(1, count + 1):
        theirs.set_timesteps(steps)
        # Rounding makes diffusers take one level too many now and then, at timestep -1.
        expected = theirs.timesteps.tolist()[:steps]
        assert timesteps(respaced(alpha_bars(count), steps, spacing)) == expected, steps


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [1, 20, 50, 61, 1000])
def test_timesteps_of_a_thousand(spacing: str, steps: int) -> None:
    theirs = DDPMScheduler(timestep_spacing=spacing)
    theirs.set_timesteps(steps)
    assert timesteps(schedule_from_config(theirs.config, steps)) == theirs.timesteps.tolist()[:steps]


def test_the_spacing_of_realnet() -> None:
    assert timesteps(schedule_from_config({}, 20)) == list(range(950, -1, -50))


def test_steps_offset_moves_the_leading_spacing() -> None:
    theirs = DDPMScheduler(steps_offset=1)
    theirs.set_timesteps(20)
    schedule = schedule_from_config(theirs.config, 20)
    assert timesteps(schedule) == theirs.timesteps.tolist()
    assert schedule.levels[-1].alpha_bar_previous == 1


@pytest.mark.parametrize("name", BETA_SCHEDULES)
def test_each_step_ends_where_the_next_begins(name: str) -> None:
    levels = schedule_from_config(config(beta_schedule=name), 20).levels
    alpha_bar = alpha_bars(beta_schedule=name)
    assert [level.alpha_bar for level in levels] == [alpha_bar[level.timestep] for level in levels]
    assert [level.alpha_bar_previous for level in levels] == [*(level.alpha_bar for level in levels[1:]), 1.0]
    assert [level.is_last for level in levels] == [False] * 19 + [True]


@pytest.mark.parametrize("steps", [20, 50, 1000])
def test_variances_are_those_of_diffusers(steps: int) -> None:
    theirs = DDPMScheduler()
    theirs.set_timesteps(steps)
    for level in schedule_from_config(theirs.config, steps).levels[:-1]:
        small, large = (
            float(theirs._get_variance(level.timestep, variance_type=kind))
            for kind in ("fixed_small", "fixed_large")
        )
        # Float32 leaves a beta of 1e-4 only three digits, having taken it from 1.
        assert level.posterior_variance == pytest.approx(small, rel=3e-3)
        assert level.beta == pytest.approx(large, rel=3e-3)


def test_level_in_numbers() -> None:
    level = Level(timestep=7, alpha_bar=0.4, alpha_bar_previous=0.8)
    assert level.alpha == pytest.approx(0.5)
    assert level.beta == pytest.approx(0.5)
    assert level.posterior_variance == pytest.approx(0.2 / 0.6 * 0.5)
    assert Level(0, 0.9, 1.0).posterior_variance == 0


def test_trained_betas_come_before_the_formula() -> None:
    betas = [0.1, 0.2, 0.4]
    schedule = schedule_from_config({"trained_betas": betas, "num_train_timesteps": 3}, 3)
    assert [level.beta for level in schedule.levels] == pytest.approx(betas[::-1])


def test_the_last_levels_are_the_rest_of_the_way() -> None:
    schedule = schedule_from_config({}, 20)
    rest = schedule.last(6)
    assert rest.levels == schedule.levels[14:]
    assert timesteps(rest) == [250, 200, 150, 100, 50, 0]
    assert len(rest) == 6
    assert schedule.last(20) == schedule


@pytest.mark.parametrize("count", [-1, 0, 21])
def test_no_more_levels_than_there_are(count: int) -> None:
    with pytest.raises(InputError, match=rf"the last {count} of 20 .*expected 1 to 20"):
        schedule_from_config({}, 20).last(count)


@pytest.mark.parametrize("steps", [-3, 0, 1001])
def test_no_more_steps_than_timesteps(steps: int) -> None:
    with pytest.raises(InputError, match=rf"in {steps} steps: expected 1 to 1000"):
        schedule_from_config({}, steps)


REFUSED = {
    "beta_schedule": "sigmoid",
    "timestep_spacing": "karras",
    "rescale_betas_zero_snr": True,
    "thresholding": True,
    "prediction_type": "flow_prediction",
    "variance_type": "learned",
    "num_train_timesteps": 10**9,
    "beta_end": 1.5,
    "beta_start": 0.0,
    "trained_betas": [0.1, float("nan")],
    "clip_sample_range": 0,
    "_class_name": "FlowMatchEulerDiscreteScheduler",
}


@pytest.mark.parametrize("key", REFUSED)
def test_what_is_not_supported_is_refused_in_one_line(key: str) -> None:
    with pytest.raises(InputError, match=rf"^scheduler_config.json: {key}") as caught:
        schedule_from_config({key: REFUSED[key]}, 20)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "steps", "message"),
    [
        ({"trained_betas": [0.1, 0.2]}, 2, "trained_betas has 2 entries; expected 1000"),
        ({"beta_start": 0.9, "beta_end": 0.9}, 2, "leave alpha_bar 0e"),
        ({"steps_offset": 1}, 1000, "begins at timestep 1000, and the model has only 0 to 999"),
    ],
)
def test_settings_that_do_not_go_together(changes: dict[str, Any], steps: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        schedule_from_config(changes, steps)


def test_what_other_schedulers_add_is_passed_over() -> None:
    ddim = {"_class_name": "DDIMScheduler", "_diffusers_version": "0.42", "set_alpha_to_one": True}
    assert schedule_from_config(ddim, 20) == schedule_from_config({}, 20)

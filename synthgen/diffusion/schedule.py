"""The noise levels of a diffusion: all that a network was trained on, and the few that are sampled at."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul
from typing import Any

import numpy as np

from synthgen.diffusion.scheduler_config import BetaSchedule, Spacing, read_scheduler_config
from synthgen.errors import InputError

_MAX_COSINE_BETA = 0.999
_LEAST_ALPHA_BAR = 1e-30
"""Below it, float32 cannot tell an image from its noise."""


@dataclass(frozen=True, slots=True)
class Level:
    """One noise level of a respaced diffusion and the step down from it, in DDPM's symbols."""

    timestep: int
    """What the network is given as the time."""
    alpha_bar: float
    """Share of the image's variance that is left, in (0, 1)."""
    alpha_bar_previous: float
    """That of the next less noisy level; 1 where this is the last, whose step gives the image."""

    @property
    def is_last(self) -> bool:
        """Whether the step down from it gives the image."""
        return self.alpha_bar_previous == 1.0

    @property
    def alpha(self) -> float:
        """1 - beta."""
        return self.alpha_bar / self.alpha_bar_previous

    @property
    def beta(self) -> float:
        """Variance that the forward process adds on the way to this level."""
        return 1 - self.alpha

    @property
    def posterior_variance(self) -> float:
        """Variance of q(x_{t-1} | x_t, x_0) (DDPM, Ho et al., NeurIPS 2020, eq. 7); 0 for the last level."""
        return (1 - self.alpha_bar_previous) / (1 - self.alpha_bar) * self.beta


@dataclass(frozen=True, slots=True)
class Schedule:
    """The noise levels that an image goes down, or the rest of them."""

    levels: tuple[Level, ...]
    """In the order of sampling, noisiest first."""

    def __len__(self) -> int:
        return len(self.levels)

    def last(self, count: int) -> "Schedule":
        """The ``count`` least noisy levels: the rest of the way of an image noised to the first of them.

        Raises InputError unless there are so many.
        """
        if not 1 <= count <= len(self):
            raise InputError(f"the last {count} of {len(self)} sampling steps: expected 1 to {len(self)}")
        return Schedule(self.levels[-count:])


def alpha_bars(
    num_train_timesteps: int = 1000,
    beta_start: float = 0.0001,
    beta_end: float = 0.02,
    beta_schedule: BetaSchedule = "linear",
) -> tuple[float, ...]:
    """alpha_bar of timesteps 0 … T-1, in double precision.

    ``linear`` is DDPM's, ``scaled_linear`` is linear in the root of beta (Rombach et al., CVPR 2022),
    ``squaredcos_cap_v2`` the cosine (Nichol & Dhariwal, ICML 2021, eq. 17), without bounds.
    """
    if beta_schedule == "linear":
        betas = _line(beta_start, beta_end, num_train_timesteps)
    elif beta_schedule == "scaled_linear":
        betas = [root**2 for root in _line(math.sqrt(beta_start), math.sqrt(beta_end), num_train_timesteps)]
    else:
        curve = [_cosine(number / num_train_timesteps) for number in range(num_train_timesteps + 1)]
        betas = [min(1 - after / before, _MAX_COSINE_BETA) for before, after in pairwise(curve)]
    return _cumulative(betas)


def respaced(
    alpha_bar: Sequence[float], steps: int, spacing: Spacing = "leading", offset: int = 0
) -> Schedule:
    """The schedule of ``steps`` steps over timesteps that diffusers' spacing of that name chooses.

    ``leading`` takes multiples of T // steps, moved by ``offset``: 0, 50 … 950 for 20 of 1000, as RealNet
    does; ``trailing`` ends at T - 1, ``linspace`` has both ends (Lin et al., WACV 2024, table 2).
    Raises InputError for a number of steps that the T timesteps cannot give.
    """
    count = len(alpha_bar)
    if not 1 <= steps <= count:
        raise InputError(f"sampling in {steps} steps: expected 1 to {count}, the timesteps of the model")
    if spacing == "leading":
        timesteps = [number * (count // steps) + offset for number in range(steps)]
    elif spacing == "trailing":
        # As diffusers rounds, but without the level at -1 that rounding gives it for 61 of 1000 and others.
        ends = np.arange(count, 0, -count / steps)[:steps]
        timesteps = [round(end) - 1 for end in reversed(ends.tolist())]
    else:
        timesteps = [round(place) for place in _line(0, count - 1, steps)]
    if timesteps[-1] >= count:
        raise InputError(
            f"sampling in {steps} steps with steps_offset {offset} begins at timestep {timesteps[-1]}, and "
            f"the model has only 0 to {count - 1}; use fewer steps"
        )
    previous = [1.0] + [alpha_bar[timestep] for timestep in timesteps[:-1]]
    levels = [
        Level(timestep, alpha_bar[timestep], before)
        for timestep, before in zip(timesteps, previous, strict=True)
    ]
    return Schedule(tuple(reversed(levels)))


def schedule_from_config(config: Mapping[str, Any], steps: int) -> Schedule:
    """The schedule of ``steps`` steps that a diffusers scheduler_config.json describes.

    Raises InputError for a number of steps or a configuration that is not supported.
    """
    read = read_scheduler_config(config)
    count = read.num_train_timesteps
    if read.trained_betas is None:
        alpha_bar = alpha_bars(count, read.beta_start, read.beta_end, read.beta_schedule)
    elif len(read.trained_betas) == count:
        alpha_bar = _cumulative(read.trained_betas)
    else:
        raise InputError(
            f"scheduler_config.json: trained_betas has {len(read.trained_betas)} entries; expected {count}, "
            "as num_train_timesteps says"
        )
    if alpha_bar[-1] < _LEAST_ALPHA_BAR:
        raise InputError(
            f"scheduler_config.json: {count} timesteps with these betas leave alpha_bar {alpha_bar[-1]:.0e} "
            f"of the image; expected {_LEAST_ALPHA_BAR:.0e} or more; use a model with smaller betas"
        )
    return respaced(alpha_bar, steps, read.timestep_spacing, read.steps_offset)


def _line(first: float, last: float, count: int) -> list[float]:
    """``count`` evenly spaced numbers; the first alone where that is all."""
    step = (last - first) / max(count - 1, 1)
    return [first + number * step for number in range(count)]


def _cosine(time: float) -> float:
    return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2


def _cumulative(betas: Sequence[float]) -> tuple[float, ...]:
    return tuple(accumulate((1 - beta for beta in betas), mul))

"""The variational bound of a diffusion, which trains a learned variance."""

import math

import torch
from torch import Tensor

HALF_LEVEL = 1 / 255


class VariationalBound:
    """The terms L_t (DDPM, Ho et al., NeurIPS 2020, eqs. 5 and 7) for cumulative alphas (T,) float64."""

    def __init__(self, alpha_bar: Tensor) -> None:
        previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
        beta = 1 - alpha_bar / previous
        variance = beta * (1 - previous) / (1 - alpha_bar)
        # The posterior at t = 0 has no variance; the logarithm is taken from t = 1, as the authors do.
        self._log_variance = torch.cat([variance[1:2], variance[1:]]).log()
        self._log_beta = beta.log()
        self._to_original = previous.sqrt() * beta / (1 - alpha_bar)
        self._to_noisy = (1 - beta).sqrt() * (1 - previous) / (1 - alpha_bar)

    def __call__(
        self, original: Tensor, interpolation: Tensor, images: Tensor, noisy: Tensor, timesteps: Tensor
    ) -> Tensor:
        """L_t in bits per value, (B,): the divergence for t > 0, the likelihood of the 8-bit image at t = 0.

        All are (B, C, H, W): ``original`` is the image that was predicted from ``noisy``, ``interpolation``
        where the variance's logarithm lies, 0 at the posterior's and 1 at beta's (Nichol & Dhariwal, ICML
        2021, eq. 15).
        """

        def at(table: Tensor) -> Tensor:
            return table.to(noisy)[timesteps].reshape(-1, 1, 1, 1)

        log_variance = at(self._log_variance)
        log_predicted = interpolation * at(self._log_beta) + (1 - interpolation) * log_variance
        mean = at(self._to_original) * original + at(self._to_noisy) * noisy
        true_mean = at(self._to_original) * images + at(self._to_noisy) * noisy
        divergence = gaussian_divergence(true_mean, log_variance, mean, log_predicted)
        likelihood = level_log_likelihood(images, mean, log_predicted)
        at_zero = (timesteps == 0).reshape(-1, 1, 1, 1)
        return torch.where(at_zero, -likelihood, divergence).mean(dim=(1, 2, 3)) / math.log(2)


def gaussian_divergence(
    mean: Tensor, log_variance: Tensor, mean_of: Tensor, log_variance_of: Tensor
) -> Tensor:
    """KL(N(mean, variance) || N(mean_of, variance_of)) in nats, elementwise."""
    difference = log_variance - log_variance_of
    return 0.5 * (difference.exp() - 1 - difference + (mean - mean_of).square() * (-log_variance_of).exp())


def level_log_likelihood(images: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """The log likelihood of 8-bit levels in [-1, 1] under a Gaussian (DDPM, eq. 13) in nats, elementwise."""
    scale, distance = (-0.5 * log_variance).exp(), images - mean
    # On the side of the mean where the distribution function is small, and so exact.
    small = -distance.abs()
    inner = _cumulative(scale * (small + HALF_LEVEL)) - _cumulative(scale * (small - HALF_LEVEL))
    black, white = _cumulative(scale * (distance + HALF_LEVEL)), _cumulative(-scale * (distance - HALF_LEVEL))
    likelihood = torch.where(images < -0.999, black, torch.where(images > 0.999, white, inner))
    return likelihood.clamp(min=1e-12).log()


def _cumulative(x: Tensor) -> Tensor:
    """The Gaussian's distribution function; torch's own ndtr loses the small values."""
    return torch.special.erfc(-math.sqrt(0.5) * x) / 2

"""The training loss: the error of the prediction, and the variational bound of a learned variance."""

import torch
from torch import Tensor

from synthgen.diffusion.training.presets import Prediction
from synthgen.diffusion.training.variational_bound import VariationalBound


class DiffusionLoss:
    """The loss of one batch on the diffusion process with the given cumulative alphas (T,).

    The simple loss of DDPM (Ho et al., NeurIPS 2020, eq. 14), weighted by Min-SNR (Hang et al., ICCV 2023,
    section 3.4); where the network gives twice the channels, plus the variational bound times T / 1000, which
    trains the variance alone (Nichol & Dhariwal, ICML 2021, eq. 16).
    """

    def __init__(self, alpha_bar: Tensor, prediction: Prediction, min_snr: float | None) -> None:
        self._alpha_bar = alpha_bar.double()
        self._prediction = prediction
        self._min_snr = min_snr
        self._bound = VariationalBound(self._alpha_bar)

    def timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        """Timesteps (B,) int64, each uniform over all; together evenly spread, which lowers the variance."""
        offset = torch.rand((), generator=generator, dtype=torch.float64)
        places = (torch.arange(count, dtype=torch.float64) / count + offset) % 1
        return (places * len(self._alpha_bar)).long().clamp(max=len(self._alpha_bar) - 1)

    def noised(self, images: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """q(x_t | x_0) (DDPM, eq. 4): (B, C, H, W)."""
        alpha_bar = self._at(timesteps, images)
        return alpha_bar.sqrt() * images + (1 - alpha_bar).sqrt() * noise

    def __call__(self, output: Tensor, images: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The mean loss of a batch; ``output`` is the network's (B, C or 2C, H, W) float32."""
        channels = images.shape[1]
        predicted = output[:, :channels]
        errors = (predicted - self._target(images, noise, timesteps)).square().mean(dim=(1, 2, 3))
        loss = (self._weights(timesteps).to(errors) * errors).mean()
        if output.shape[1] == 2 * channels:
            noisy = self.noised(images, noise, timesteps)
            original = self._original(predicted.detach(), noisy, timesteps).clamp(-1, 1)
            interpolation = (output[:, channels:] + 1) / 2
            bound = self._bound(original, interpolation, images, noisy, timesteps).mean()
            loss = loss + bound * (len(self._alpha_bar) / 1000)
        return loss

    def _target(self, images: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        if self._prediction == "epsilon":
            return noise
        if self._prediction == "sample":
            return images
        alpha_bar = self._at(timesteps, images)
        return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * images

    def _weights(self, timesteps: Tensor) -> Tensor:
        alpha_bar = self._alpha_bar[timesteps]
        if self._min_snr is None:
            return torch.ones_like(alpha_bar)
        snr = alpha_bar / (1 - alpha_bar)
        bounded = snr.clamp(max=self._min_snr)
        divisors = {"epsilon": snr, "v_prediction": snr + 1, "sample": torch.ones_like(snr)}
        return bounded / divisors[self._prediction]

    def _original(self, predicted: Tensor, noisy: Tensor, timesteps: Tensor) -> Tensor:
        """x_0 out of the prediction."""
        alpha_bar = self._at(timesteps, noisy)
        if self._prediction == "sample":
            return predicted
        if self._prediction == "epsilon":
            return (noisy - (1 - alpha_bar).sqrt() * predicted) / alpha_bar.sqrt()
        return alpha_bar.sqrt() * noisy - (1 - alpha_bar).sqrt() * predicted

    def _at(self, timesteps: Tensor, like: Tensor) -> Tensor:
        """Cumulative alphas (B, 1, 1, 1)."""
        return self._alpha_bar.to(like)[timesteps].reshape(-1, 1, 1, 1)

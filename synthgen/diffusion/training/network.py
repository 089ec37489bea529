"""The network and the scheduler that a training's settings ask for."""

import torch
from diffusers import DDPMScheduler, UNet2DModel

from synthgen.diffusion.training.presets import unet_config
from synthgen.diffusion.training.settings import TrainingSettings

TIMESTEPS = 1000


def new_network(settings: TrainingSettings, channels: int, categories: int) -> UNet2DModel:
    """A network with random weights that depend on the seed alone.

    With several categories it has one class more than there are, which means none of them.
    """
    classes = categories + 1 if categories > 1 else 0
    config = unet_config(settings.preset, settings.size, channels, classes, settings.variance)
    # diffusers draws from torch's own generator, which is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return UNet2DModel(**config)


def new_scheduler(settings: TrainingSettings) -> DDPMScheduler:
    """DDPM's linear betas from 1e-4 to 0.02 (Ho et al., NeurIPS 2020, section 4)."""
    return DDPMScheduler(
        num_train_timesteps=TIMESTEPS,
        prediction_type=settings.prediction,
        variance_type="learned_range" if settings.variance == "learned" else "fixed_small",
        clip_sample=True,
    )

"""Training a denoising diffusion model on normal images, and sampling from it with a strength (SDAS)."""

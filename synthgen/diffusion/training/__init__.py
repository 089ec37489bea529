"""All that only training a diffusion model needs."""

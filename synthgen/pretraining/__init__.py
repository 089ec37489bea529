"""Pre-training of backbones on good products: contrastive methods, and SPD's term that spots a difference."""

"""EfficientAD (Batzner et al., WACV 2024): a student and an autoencoder that imitate a frozen teacher."""

"""RealNet (Zhang et al., CVPR 2024): selected features are reconstructed, selected residuals are judged."""

"""CutPaste: a network that tells kinds of synthetic anomalies apart (Li et al., CVPR 2021)."""

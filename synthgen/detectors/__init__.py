"""Anomaly detectors: fitted on normal images, they score an image and each of its pixels."""

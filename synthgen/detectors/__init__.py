"""Anomaly detectors: fitted on normal images, they give a score to an image and to each of its pixels."""

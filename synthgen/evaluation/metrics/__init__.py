"""Metrics of scores and anomaly maps."""

"""How well detectors find anomalies: metrics, their uncertainty, and what is reported."""

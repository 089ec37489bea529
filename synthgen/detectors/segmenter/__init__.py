"""The segmenter: a small head on frozen features that learns from samples with anomalies."""

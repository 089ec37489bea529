"""Shards: WebDataset tars with a commit mark each, written, verified, read and described."""

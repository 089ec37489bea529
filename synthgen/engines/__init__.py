"""Engines: handed a plan and shard numbers, they decide only where shards are made."""

"""Which synthesizer is worth training on: recipes compared by the detectors that learn from them."""

"""Pixels: decoded with guards, prepared, and encoded."""

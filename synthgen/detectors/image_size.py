"""The size at which detectors see images, for those who ask without loading torch."""

IMAGE_SIZE = 256
"""Side of the square that a whole image is resized to, pixels, unless a detector's settings say otherwise."""

"""Whether EXIF turns one of two pictures that belong together, and not the other."""

from synthgen.images.decode import orientation_of

SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations that exchange width and height."""


def turned_apart(image: bytes, mask: bytes) -> str:
    """What to add where an image and its mask, encoded, differ in size: which of them is turned; or nothing.

    Raises UnusableImage.
    """
    of_image, of_mask = orientation_of(image), orientation_of(mask)
    if (of_image in SIDEWAYS) == (of_mask in SIDEWAYS):
        return ""
    if of_image in SIDEWAYS:
        return f"; EXIF turns the image (orientation {of_image}) and not the mask, so turn the mask as well"
    return f"; EXIF turns the mask (orientation {of_mask}) and not the image, so save the mask upright"

"""The user's own foreground masks: which belongs to which normal image, and what each marks."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from synthgen.errors import InputError
from synthgen.images.decode import MAX_MEGAPIXELS, UnusableImage
from synthgen.images.masks import read_mask
from synthgen.images.pixels import Mask
from synthgen.storage.root import Root


def pair_masks(folder: str, images: Sequence[str]) -> dict[str, str]:
    """The mask of each image, both relative to their own roots. Raises InputError where one has none.

    A mask has the path of its image but for the ending, and may add ``_mask`` to the name. Where there is
    none at that path, the only mask of that name in any folder is taken.
    """
    by_path: dict[str, list[str]] = defaultdict(list)
    by_name: dict[str, list[str]] = defaultdict(list)
    for mask in Root(folder).images():
        key = PurePosixPath(mask).with_suffix("")
        key = key.with_name(key.name.removesuffix("_mask") or key.name)
        by_path[str(key)].append(mask)
        by_name[key.name].append(mask)

    pairs = {}
    for image in images:
        key = PurePosixPath(image).with_suffix("")
        found = by_path.get(str(key)) or by_name.get(key.name, [])
        if len(found) != 1:
            amount = f"{len(found)} masks ({', '.join(found[:3])})" if found else "no mask"
            raise InputError(
                f"foreground: {folder} has {amount} for the image {image}; one is expected, with the same "
                f"path or name, such as {key}.png"
            )
        pairs[image] = found[0]
    return pairs


def read_foreground(data: bytes, name: str, max_megapixels: int = MAX_MEGAPIXELS) -> Mask:
    """Where a mask marks the product, (H, W). Raises InputError, with the mask's name, where it is none."""
    try:
        return read_mask(data, max_megapixels)
    except UnusableImage as error:
        raise InputError(f"foreground: the mask {name} cannot be used: {error}") from error

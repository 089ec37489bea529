"""Seeing that a folder of pictures holds good products alone, before anything is made of them."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from synthgen.config.listing import listed
from synthgen.errors import InputError
from synthgen.images.own import MARK_BYTES, is_marked
from synthgen.sources import tree
from synthgen.sources.content import looks_like_a_mask
from synthgen.sources.habits import Role, file_role, folder_role
from synthgen.sources.notes import label_file
from synthgen.sources.surroundings import require_good_surroundings
from synthgen.sources.twins import tested, twins
from synthgen.storage.listing import Listing
from synthgen.storage.root import Root


def require_good_products(root: Root, found: Listing) -> list[str]:
    """The pictures of a folder but those that we drew; InputError where others may be no good products."""
    images = found.images
    require_good_surroundings(root)
    suspects = [path for path in images if suspicion(path)]
    ours = {path for path in suspects if _is_ours(root, path)}
    evidence = _said_by_names(path for path in suspects if path not in ours)
    beside = tested(root, twins(images), looks_like_a_mask)
    if mask := next((path for path, is_mask in beside if is_mask), None):
        evidence.append(f"{mask} looks like a mask of the picture beside it")
    if labels := label_file(root, found):
        evidence.append(f"{labels} looks like labels of defects")
    if evidence:
        raise InputError(
            f"{root.url} may hold more than good products: {'; '.join(evidence)}; give a folder of "
            "good products alone or the root of a data set, or say which are good by --normal, with names of "
            "folders or globs (in a recipe: kind: folders, normal: [NAME])"
        )
    return [path for path in images if path not in ours]


def suspicion(path: str, trust_file: bool = False) -> Role | None:
    """What the first name on a path stands for that cannot be one of good products; None for no such name.

    A file in a folder that is called good is trusted to show no defect, whatever it is called.
    """
    *folders, name = path.split("/")
    of_file = file_role(PurePosixPath(name).stem)
    roles = [*map(folder_role, folders), Role.OTHER if trust_file and of_file is Role.DEFECT else of_file]
    return next((role for role in roles if role in (Role.MASK, Role.TEST, Role.DEFECT)), None)


def _said_by_names(suspects: Iterable[str]) -> list[str]:
    """Where suspicious pictures lie, by what they are called."""
    by_role: dict[Role | None, list[str]] = {}
    for path in suspects:
        by_role.setdefault(suspicion(path), []).append(path)
    return [
        f"{role.value} by their names in {', '.join(listed(tree.counted(each)))}"
        for role, each in by_role.items()
        if role
    ]


def _is_ours(root: Root, path: str) -> bool:
    try:
        return is_marked(root.read(path, limit=MARK_BYTES))
    except OSError:
        return False

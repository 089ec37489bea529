"""What the folder's own name, and the folders around it, say of the pictures in it."""

from synthgen.errors import InputError
from synthgen.sources.habits import Role, folder_role, is_called_pictures, is_wholly
from synthgen.storage.root import Root

LEVELS = 3
"""How far up is looked."""


def require_good_surroundings(root: Root, has_good_folders: bool = False) -> None:
    """Raise InputError where a folder is called tests, masks or defects, or lies in that part of a data set.

    A folder further up counts only where good products or training images lie beside it: anybody may keep
    pictures somewhere below a folder called test. The good products among test images may be taken, where the
    folder is called so or ``has_good_folders``.
    """
    names_good = has_good_folders or folder_role(root.part(1)) is Role.NORMAL
    wrong = (Role.MASK, Role.DEFECT) if names_good else (Role.MASK, Role.DEFECT, Role.TEST)
    for level in range(1, LEVELS + 1):
        name, above = root.part(level), root.above(level)
        if above is None:
            return
        if is_wholly(name, *wrong) and (level == 1 or _is_part_of_data_set(name, above)):
            where = "is called" if level == 1 else "lies in a folder called"
            raise InputError(
                f"{root.url} {where} {name}, a name for {folder_role(name).value}, and good products are "
                "expected; give another folder, or say which pictures are good by --normal '**/*' (in a "
                'recipe: kind: folder, pattern: "**/*")'
            )
    if is_called_pictures(root.part(1)) and (masks := _masks_beside(root)):
        raise InputError(
            f"{root.url} lies beside {masks}, a name for masks, so its pictures may show defects, and good "
            "products are expected; give another folder, or say which pictures are good by --normal '**/*' "
            '(in a recipe: kind: folder, pattern: "**/*")'
        )


def _masks_beside(root: Root) -> str | None:
    """The folder of masks that lies beside a folder, if there is one."""
    above = root.above(1)
    try:
        names = above.folders() if above else []
    except InputError:  # it need not be readable
        return None
    return next((name for name in names if is_wholly(name, Role.MASK)), None)


def _is_part_of_data_set(name: str, root: Root) -> bool:
    """Whether a folder of a plain name lies beside one of good products or of training images.

    A number in it makes it one of many (``masks0``), which need not belong together.
    """
    if any(character.isdigit() for character in name):
        return False
    try:
        return any(folder_role(beside) in (Role.NORMAL, Role.TRAIN) for beside in root.folders())
    except InputError:  # it need not be readable
        return False

"""What the layouts like MVTec AD's share: a folder for each category, with train, test and ground_truth."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import ClassVar

from synthgen.errors import InputError
from synthgen.sources.base import Entry, LabelledSource, Listed, TestImage
from synthgen.sources.guard import suspicion
from synthgen.storage.listing import Listing, Stray, found_instead
from synthgen.storage.root import Root, chosen

MASK_ENDING = "_mask"


class CategorySource(LabelledSource):
    """``<category>/train/<normal_name>/*`` and ``<category>/test/<defect type>/*``.

    The images of a defect type that has no masks at all are not paired.

    Masks are ``<category>/ground_truth/<defect type>/<stem>_mask.*`` or ``<stem>.*``. The root may be a
    category's own folder. In ``test``, the folder ``normal_name`` is normal, every other one anomalous.
    """

    tests_place: ClassVar[str] = "test/<defect type> or <category>/test/<defect type>"
    normal_name: ClassVar[str]
    """What the folders of normal images are called."""

    @classmethod
    def is_at(cls, root: Root) -> bool:
        """Whether a folder, or one of its own folders, has training-normal images of this name."""
        normal = cls._normal_folder()
        return root.is_folder(normal) or any(root.is_folder(f"{name}/{normal}") for name in root.folders())

    @classmethod
    def has_tests_at(cls, root: Root) -> bool:
        """Whether a folder, or one of its own folders, has a folder ``test``."""
        return any(True for _ in test_folders(root))

    def entries(self) -> Sequence[Entry]:
        """List the training-normal images, sorted by category and path."""
        return self.listing().entries

    def listing(self) -> Listed:
        """The training-normal images, and what lies among them or among the folders of categories."""
        root = Root(self.path)
        folders, strays = self._normal_folders(root)
        if not folders:
            raise InputError(
                f"{self.path} has no folder <category>/{self._normal_folder()}; give the data set's root"
            )
        found = {
            category: self._normals(root, folders[category])
            for category in chosen(self.categories, folders, self.path)
        }
        return Listed(
            [Entry(path, category) for category, normals in found.items() for path in normals.images],
            [path for normals in found.values() for path in normals.other_formats],
            [*strays, *(stray for normals in found.values() for stray in normals.strays)],
        )

    def test_categories(self) -> Sequence[str]:
        """The folders with a folder ``test``, sorted. Raises InputError where there is none."""
        if not self._test_folders:
            raise InputError(f"{self.path} has no folder <category>/test; give the data set's root")
        return chosen(self.categories, self._test_folders, self.path)

    def tests(self, category: str) -> Sequence[TestImage]:
        """The images with their masks, sorted by path.

        Raises InputError for a mask without image, or two for one image.
        """
        root, place = Root(self.path), self._test_folders[category]
        images = _test_images(root, f"{place}test")
        masks = _masks(root, f"{place}ground_truth", images)
        with_masks = {self.normal_name, *(defect_type for defect_type, _ in masks)}
        return [
            TestImage(
                path,
                defect_type,
                defect_type != self.normal_name,
                masks.get((defect_type, stem)),
                paired=defect_type in with_masks,
            )
            for (defect_type, stem), path in images.items()
        ]

    @classmethod
    def _normal_folder(cls) -> str:
        return f"train/{cls.normal_name}"

    def _normal_folders(self, root: Root) -> tuple[dict[str, str], list[Stray]]:
        """The folder of normal images of every category, and what lies beside the categories."""
        root.require_folder()
        normal = self._normal_folder()
        if root.is_folder(normal):
            return {root.name: normal}, []
        names, strays = root.folders_and_strays()
        candidates = {name: f"{name}/{normal}" for name in names}
        return {name: folder for name, folder in candidates.items() if root.is_folder(folder)}, strays

    def _normals(self, root: Root, folder: str) -> Listing:
        found = root.listing(folder)
        for path in found.images:
            # A category that somebody named may be called anything.
            inside = path.removeprefix(f"{folder}/") if self.categories else path
            if role := suspicion(inside, trust_file=True):
                raise InputError(
                    f"{self.path} has {path} among its good products, and its name speaks of {role.value}; "
                    "choose categories, move it elsewhere, or name the good ones by --normal (in a recipe: "
                    "kind: folders, normal: [NAME])"
                )
        if not found.images:
            raise InputError(
                f"{self.path} has no image in {folder}; at least one normal image is needed"
                f"{found_instead(found)}"
            )
        return found

    @cached_property
    def _test_folders(self) -> dict[str, str]:
        return dict(test_folders(Root(self.path)))


def test_folders(root: Root) -> Iterator[tuple[str, str]]:
    """Name and place ("" or "name/") of every category with a folder ``test``; a root may be the only one."""
    if root.is_folder("test"):
        yield root.name, ""
        return
    for name in root.folders():
        if root.is_folder(f"{name}/test"):
            yield name, f"{name}/"


def _test_images(root: Root, folder: str) -> dict[tuple[str, str], str]:
    """The path of every test image by its defect type and its name without suffix."""
    images: dict[tuple[str, str], str] = {}
    for path, defect_type, stem in _below(root, folder):
        if (defect_type, stem) in images:
            raise InputError(
                f"{path} and {images[defect_type, stem]} differ only by their suffix, and could have one "
                "mask; rename one"
            )
        images[defect_type, stem] = path
    return images


def _masks(root: Root, folder: str, images: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """The path of every mask by its image's defect type and name."""
    masks: dict[tuple[str, str], str] = {}
    for path, defect_type, stem in _below(root, folder) if root.is_folder(folder) else ():
        named = (defect_type, stem)
        key = named if named in images else (defect_type, stem.removesuffix(MASK_ENDING))
        if key not in images:
            raise InputError(f"{path} is a mask without an image; add the image, or remove the mask")
        if key in masks:
            raise InputError(f"{path} and {masks[key]} are masks of one image; remove one")
        masks[key] = path
    return masks


def _below(root: Root, folder: str) -> Iterator[tuple[str, str, str]]:
    """Path, defect type, and name without suffix of all images below ``<folder>/<defect type>``."""
    found = root.listing(folder)
    if found.strays:
        path, reason = found.strays[0]
        raise InputError(f"{path} {reason}; remove it, since a test set is read whole or not at all")
    for path in found.images:
        defect_type, slash, name = path.removeprefix(f"{folder}/").partition("/")
        if not slash:
            raise InputError(
                f"{path} lies in no folder of a defect type; {folder}/<defect type>/{defect_type} is expected"
            )
        yield path, defect_type, str(PurePosixPath(name).with_suffix(""))

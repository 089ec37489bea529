"""Good products in folders of their own, beside folders of defects and of masks."""

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synthgen.config.listing import listed
from synthgen.errors import InputError
from synthgen.sources import tree
from synthgen.sources.base import Entry, LabelledSource, Listed, TestImage
from synthgen.sources.content import could_be_a_mask
from synthgen.sources.habits import Role
from synthgen.sources.mask_names import pair
from synthgen.sources.split import held_out_hashes
from synthgen.sources.surroundings import require_good_surroundings
from synthgen.sources.tree import Product
from synthgen.sources.twins import tested, twins
from synthgen.storage.listing import Listing
from synthgen.storage.root import Root, chosen

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class FoldersSource(LabelledSource):
    """Pictures of good products in folders called good, ok, normal …, beside any number of other folders.

    What lies in others, or in folders of defects or masks inside of good ones, is never a good product.
    The names may stand at any depth and in any case; folders before them name the product, unless they say
    only when or by what a picture was taken. Where there are no good products among test images (``test``,
    ``val`` …), the held-out share of the others is what detectors are judged by.
    """

    tests_place: ClassVar[str] = "good beside folders of defects"

    kind: Literal["folders"] = "folders"
    normal: Names | None = None
    """The folders of good products; by habit if left out.

    A name stands for all folders of that name. What has a "/" or "*" is a glob below the root, whose folders
    and pictures are good products whatever they are called.
    """
    masks: Annotated[str, Field(min_length=1)] | None = None
    """The folder of masks: a name, or a glob; by habit (mask, ground_truth …) if left out."""

    @property
    def chosen_by_hand(self) -> bool:
        """Whether the folders of good products are named."""
        return self.normal is not None

    @classmethod
    def is_at(cls, root: Root) -> bool:
        """Whether some picture lies in a folder called good, and in none of defects, masks or tests."""
        pictures = (tree.picture_at(path, tree.called_normal, tree.called_mask) for path in root.images())
        return any(picture.role is Role.NORMAL and not picture.is_test for picture in pictures)

    @classmethod
    def has_tests_at(cls, root: Root) -> bool:
        """Whether there are good products and others beside them."""
        products = cls(path=root.url)._products.values()
        return any(product.defects or product.test_defects for product in products)

    def entries(self) -> Sequence[Entry]:
        """List the good products that are no test images, sorted by category and path.

        Raises InputError where there is none.
        """
        if self.normal is None:
            require_good_surroundings(Root(self.path), has_good_folders=True)
        normals = {name: self._normals(product) for name, product in self._products.items()}
        normals = {name: paths for name, paths in normals.items() if paths}
        if not normals:
            wanted = f"called {', '.join(self.normal)}" if self.normal else "of good products for training"
            raise InputError(
                f"{self.path} has no picture in a folder {wanted}; there are "
                f"{', '.join(listed(tree.counted(self._paths)))}; name the folders of good products by "
                "--normal (in a recipe: normal: [NAME])"
            )
        return [
            Entry(path, category)
            for category in chosen(self.categories, normals, self.path)
            for path in normals[category]
        ]

    def fit_entries(self) -> Sequence[Entry]:
        """The entries that no detector is judged by."""
        entries = self.entries()
        judged_by = {
            path for category in {entry.category for entry in entries} for path in self._judged_by(category)
        }
        return [entry for entry in entries if entry.path not in judged_by]

    def test_categories(self) -> Sequence[str]:
        """The products that have good pictures and defects, sorted. Raises InputError where there is none."""
        found = [name for name, product in self._products.items() if product.defects or product.test_defects]
        if not found:
            raise InputError(f"{self.path} has no defects beside its good products; nothing can be measured")
        return chosen(self.categories, found, self.path)

    def tests(self, category: str) -> Sequence[TestImage]:
        """The good products that are held out, and all defects; one without mask is not paired.

        Raises InputError where two masks could belong to one image.
        """
        product = self._products[category]
        defects = product.test_defects or product.defects
        masks = pair(defects, product.masks, self.path)
        images = [TestImage(path, "good", False) for path in self._judged_by(category)] + [
            TestImage(path, defect_type, True, masks.get(path), paired=path in masks)
            for path, defect_type in defects.items()
        ]
        return sorted(images, key=lambda image: image.path)

    def seen(self) -> str:
        """What was taken for good, and what was left out, in a sentence; empty where nothing was left out."""
        taken = {entry.path for entry in self.entries()}
        left_out = [path for path in self._paths if path not in taken]
        if not left_out:
            return ""
        good, others = (", ".join(listed(tree.counted(paths))) for paths in (taken, left_out))
        return (
            f"{self.path}: good products are those in {good}; left out as defects, masks or test images: "
            f"{others}; other folders are chosen by --normal"
        )

    def listing(self) -> Listed:
        """The good products, and what is passed over anywhere."""
        return Listed(self.entries(), self._found.other_formats, self._found.strays)

    @cached_property
    def _found(self) -> Listing:
        root = Root(self.path)
        root.require_folder()
        return root.listing()

    @property
    def _paths(self) -> list[str]:
        return self._found.images

    @cached_property
    def _products(self) -> dict[str, Product]:
        normal = tree.called_one_of(self.normal) if self.normal else tree.called_normal
        mask = tree.called_one_of([self.masks]) if self.masks else tree.called_mask
        beside = self._masks_beside_images()
        exactly = tree.matching(self.normal or ())
        found = tree.products(
            tree.Picture(path, Role.NORMAL, is_test=False, names=())
            if exactly(path)
            else tree.picture_at(path, normal, lambda path: 0 if path in beside else mask(path))
            for path in self._paths
        )
        name = Root(self.path).name
        return {"/".join(names) or name: found[names] for names in sorted(found)}

    def _masks_beside_images(self) -> set[str]:
        """The pictures beside a JPEG of the same name, where those that are looked at have no shades."""
        beside = twins(self._paths)
        looked_at = tested(Root(self.path), beside, could_be_a_mask)
        return set(beside) if beside and all(is_mask for _, is_mask in looked_at) else set()

    def _normals(self, product: Product) -> list[str]:
        """Those for training; test images only where somebody named them, and there are no others."""
        return product.normals or (product.test_normals if self.normal else [])

    def _judged_by(self, category: str) -> set[str]:
        """The good products that detectors are judged by."""
        product = self._products[category]
        if product.normals and product.test_normals:
            return set(product.test_normals)
        normals = self._normals(product)
        hashes = {path: sha256(self.read(path)).hexdigest() for path in normals}
        held_out = held_out_hashes(hashes.values(), self.held_out)
        return {path for path in normals if hashes[path] in held_out}

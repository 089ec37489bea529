"""The layouts that labelled data sets come in, recognised or named; shards are in ``shard_dataset``."""

import csv
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Literal, get_args

from synthgen.errors import InputError
from synthgen.evaluation.labelled_shards import ShardDataset
from synthgen.evaluation.test_set import LabelledDataset, Pictures, TestImage, TestSet
from synthgen.shards.numbering import PLAN_NAME
from synthgen.sources import BtadSource, MpddSource, MvtecSource, Source, VisaSource
from synthgen.sources.visa import SPLIT_FILE
from synthgen.storage.root import Root

Layout = Literal["mvtec", "mpdd", "btad", "visa", "shards"]
FolderLayout = Literal["mvtec", "mpdd", "btad"]

NORMAL_KIND: dict[FolderLayout, str] = {"mvtec": "good", "mpdd": "good", "btad": "ok"}
FOLDER_SOURCES: dict[FolderLayout, type[MvtecSource | MpddSource | BtadSource]] = {
    "mvtec": MvtecSource,
    "mpdd": MpddSource,
    "btad": BtadSource,
}
MASK_ENDING = "_mask"


def open_dataset(url: str, layout: str | None = None) -> LabelledDataset:
    """The labelled data set at a path or URL; without ``layout`` (one of Layout) it is recognised.

    Raises InputError where nothing is there, or nothing with labels.
    """
    if layout is not None and layout not in get_args(Layout):
        raise InputError(
            f"data set '{layout}' is not known; with --root, one of {', '.join(get_args(Layout))} is expected"
        )
    root = Root(url)
    root.require_folder()
    match layout or _recognised(root):
        case "shards":
            return ShardDataset(url)
        case "visa":
            return VisaDataset(url)
        case "mvtec" | "mpdd" | "btad" as folders:
            return FolderDataset(url, folders)
    raise InputError(
        f"{url} has no test/<kind> or <category>/test/<kind>, no {SPLIT_FILE} and no {PLAN_NAME}; give the "
        "root of a data set with labels (MVTec AD, MPDD, BTAD, VisA) or a directory of shards"
    )


def _recognised(root: Root) -> Layout | None:
    if root.is_file(PLAN_NAME):
        return "shards"
    if root.is_file(SPLIT_FILE):
        return "visa"
    places = [place for _, place in _category_folders(root)]
    if not places:
        return None
    is_btad = any(root.is_folder(f"{place}{part}/ok") for place in places for part in ("train", "test"))
    return "btad" if is_btad else "mvtec"


def _category_folders(root: Root) -> Iterator[tuple[str, str]]:
    """Name and place ("" or "name/") of every folder of a category, or of the root as the only one."""
    if root.is_folder("test"):
        yield root.name, ""
        return
    for name in root.folders():
        if root.is_folder(f"{name}/test"):
            yield name, f"{name}/"


class FolderDataset(LabelledDataset):
    """``<category>/test/<kind>/*``; masks ``<category>/ground_truth/<kind>/<stem>_mask.*`` or ``<stem>.*``.

    The root may be a category's own folder. The kind ``good`` (BTAD: ``ok``) is normal, every other one
    anomalous. (Bergmann et al. 2019; Jezek et al. 2021; Mishra et al. 2021.)
    """

    def __init__(self, url: str, layout: FolderLayout) -> None:
        self.layout = layout
        self._source = FOLDER_SOURCES[layout]
        self._normal_kind = NORMAL_KIND[layout]
        self._url, self._root = url, Root(url)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._root.name

    def categories(self) -> Collection[str]:
        """The folders with a folder ``test``. Raises InputError where there is none."""
        if not self._places:
            raise InputError(f"{self._url} has no folder <category>/test; give the data set's root")
        return self._places

    def normals(self, category: str) -> Pictures:
        """All images of ``train/good`` (BTAD: ``train/ok``), as published results use them."""
        return _pictures(self._source(path=self._url, categories=[category]))

    def test_set(self, category: str) -> TestSet:
        """The images with their masks. Raises InputError for a mask without image, or two for one image."""
        images = self._images(category)
        masks = self._masks(category, images)
        found = tuple(
            TestImage(path, kind, kind != self._normal_kind, masks.get((kind, stem)))
            for (kind, stem), path in images.items()
        )
        return TestSet(category, found, self._root.read)

    @cached_property
    def _places(self) -> dict[str, str]:
        return dict(_category_folders(self._root))

    def _images(self, category: str) -> dict[tuple[str, str], str]:
        """The path of every image by its kind and its name without suffix."""
        images: dict[tuple[str, str], str] = {}
        for path, kind, stem in self._below(f"{self._places[category]}test"):
            if (kind, stem) in images:
                raise InputError(
                    f"{path} and {images[kind, stem]} differ only by their suffix, and could have one mask; "
                    "rename one"
                )
            images[kind, stem] = path
        return images

    def _masks(self, category: str, images: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
        """The path of every mask by its image's kind and name."""
        folder = f"{self._places[category]}ground_truth"
        masks: dict[tuple[str, str], str] = {}
        for path, kind, stem in self._below(folder) if self._root.is_folder(folder) else ():
            key = (kind, stem) if (kind, stem) in images else (kind, stem.removesuffix(MASK_ENDING))
            if key not in images:
                raise InputError(f"{path} is a mask without an image; add the image, or remove the mask")
            if key in masks:
                raise InputError(f"{path} and {masks[key]} are masks of one image; remove one")
            masks[key] = path
        return masks

    def _below(self, folder: str) -> Iterator[tuple[str, str, str]]:
        """Path, kind, and name without suffix of all images below ``<folder>/<kind>``."""
        for path in self._root.images(folder):
            kind, slash, name = path.removeprefix(f"{folder}/").partition("/")
            if not slash:
                raise InputError(f"{path} lies in no folder of a kind; {folder}/<kind>/{kind} is expected")
            yield path, kind, str(PurePosixPath(name).with_suffix(""))


class VisaDataset(LabelledDataset):
    """The rows of ``split_csv/1cls.csv`` with split ``test`` (Zou et al. 2022)."""

    layout = "visa"

    def __init__(self, url: str) -> None:
        self._url, self._root = url, Root(url)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._root.name

    def categories(self) -> Collection[str]:
        """What stands in the column ``object`` of test rows."""
        if not self._tests:
            raise InputError(f"{SPLIT_FILE} in {self._url} has no row with split 'test'")
        return self._tests

    def normals(self, category: str) -> Pictures:
        """The rows with split ``train`` and label ``normal``."""
        return _pictures(VisaSource(path=self._url, categories=[category]))

    def test_set(self, category: str) -> TestSet:
        """The test rows of a category, sorted by the images' paths."""
        images = sorted(self._tests[category], key=lambda image: image.path)
        for one, next_one in pairwise(images):
            if one.path == next_one.path:
                raise InputError(f"{SPLIT_FILE} in {self._url} names {one.path} twice; remove a row")
        return TestSet(category, tuple(images), self._root.read)

    @cached_property
    def _tests(self) -> dict[str, list[TestImage]]:
        tests: dict[str, list[TestImage]] = {}
        for row in self._rows():
            if missing := {"object", "split", "label", "image", "mask"} - row.keys():
                raise InputError(f"{SPLIT_FILE} in {self._url} has no column {', '.join(sorted(missing))}")
            if row["split"] != "test":
                continue
            if row["label"] not in ("normal", "anomaly"):
                raise InputError(
                    f"{SPLIT_FILE} in {self._url} has label {row['label']!r} for {row['image']}; normal or "
                    "anomaly is expected"
                )
            image = TestImage(row["image"], row["label"], row["label"] == "anomaly", row["mask"] or None)
            tests.setdefault(row["object"], []).append(image)
        return tests

    def _rows(self) -> list[dict[str, str]]:
        try:
            lines = self._root.read(SPLIT_FILE).decode("utf-8-sig").splitlines()
            return list(csv.DictReader(lines, restval=""))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{self._url} is no VisA data set: {error}") from error


def _pictures(source: Source) -> Pictures:
    return Pictures(tuple(entry.path for entry in source.entries()), source.read)

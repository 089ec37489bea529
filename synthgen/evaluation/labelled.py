"""Opening what has labelled test images: a data set of the table of sources, or a directory of shards."""

from collections.abc import Collection

from synthgen.errors import InputError
from synthgen.evaluation.labelled_shards import ShardDataset
from synthgen.evaluation.test_set import LabelledDataset, Pictures, TestSet, pictures_of
from synthgen.shards.numbering import PLAN_NAME
from synthgen.sources.base import LabelledSource
from synthgen.sources.registry import SOURCES
from synthgen.storage.root import Root

SHARDS = ShardDataset.layout
LABELLED = {name: source for name, source in SOURCES.items() if issubclass(source, LabelledSource)}


def open_dataset(url: str, layout: str | None = None, source: str | None = None) -> LabelledDataset:
    """The labelled data set at a path or URL; without ``layout`` (``shards``, or a source) it is recognised.

    ``source`` is where the normal images of shards lie now, if not where their plan found them. Raises
    InputError where nothing is there, or nothing with labels.
    """
    layouts = [*LABELLED, SHARDS]
    if layout is not None and layout not in layouts:
        raise InputError(
            f"data set '{layout}' is not known; with --root, one of {', '.join(layouts)} is expected"
        )
    root = Root(url)
    root.require_folder()
    layout = layout or _recognised(root)
    if layout is None:
        places = ", no ".join(dict.fromkeys(source.tests_place for source in LABELLED.values()))
        raise InputError(
            f"{url} has no {places} and no {PLAN_NAME}; give the root of a data set with labels "
            f"({', '.join(LABELLED)}) or a directory of shards"
        )
    if layout == SHARDS:
        return ShardDataset(url, source)
    if source is not None:
        raise InputError(
            f"source {source}: is for the normal images of shards, and {url} is a data set ({layout}); "
            "leave it out"
        )
    return SourceDataset(LABELLED[layout], url)


def _recognised(root: Root) -> str | None:
    if root.is_file(PLAN_NAME):
        return SHARDS
    return next((name for name, source in LABELLED.items() if source.has_tests_at(root)), None)


class SourceDataset(LabelledDataset):
    """A source with labels: its normal images to fit on, its test images to judge by."""

    def __init__(self, kind: type[LabelledSource], url: str) -> None:
        self._kind, self._url = kind, url
        self._source = kind.model_validate({"path": url})
        self.layout = self._source.kind

    @property
    def name(self) -> str:
        """The folder's name."""
        return Root(self._url).name

    def categories(self) -> Collection[str]:
        """The categories with test images. Raises InputError where there is none."""
        return self._source.test_categories()

    def normals(self, category: str) -> Pictures:
        """All training-normal images of a category, as published results use them."""
        own = self._kind.model_validate({"path": self._url, "categories": [category]})
        return pictures_of(own)

    def test_set(self, category: str) -> TestSet:
        """The test images of a category. Raises InputError where masks and images do not belong together."""
        return TestSet(category, tuple(self._source.tests(category)), self._source.read)

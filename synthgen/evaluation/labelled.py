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


def open_dataset(
    dataset: str | LabelledSource, layout: str | None = None, source: str | None = None
) -> LabelledDataset:
    """A labelled data set, or the one at a path or URL; ``layout`` (``shards``, or a source) is recognised.

    ``source`` is where the normal images of shards lie now, if not where their plan found them. Raises
    InputError where nothing is there, or nothing with labels.
    """
    if isinstance(dataset, LabelledSource):
        _refuse_moved(source, dataset.path, dataset.kind)
        return SourceDataset(dataset)
    url = dataset
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
    _refuse_moved(source, url, layout)
    return SourceDataset(LABELLED[layout].model_validate({"path": url}))


def _refuse_moved(source: str | None, url: str, layout: str) -> None:
    if source is not None:
        raise InputError(
            f"source {source}: is for the normal images of shards, and {url} is a data set ({layout}); "
            "leave it out"
        )


def _recognised(root: Root) -> str | None:
    if root.is_file(PLAN_NAME):
        return SHARDS
    with_tests = [name for name, source in LABELLED.items() if source.has_tests_at(root)]
    # A detector that was fitted elsewhere needs no images to fit on.
    return next((name for name in with_tests if LABELLED[name].is_at(root)), next(iter(with_tests), None))


class SourceDataset(LabelledDataset):
    """A source with labels: its normal images to fit on, its test images to judge by."""

    def __init__(self, source: LabelledSource) -> None:
        self._source = source
        self.layout = source.layout

    @property
    def name(self) -> str:
        """The folder's name."""
        return Root(self._source.path).name

    def categories(self) -> Collection[str]:
        """The categories with test images. Raises InputError where there is none."""
        return self._source.test_categories()

    def normals(self, category: str) -> Pictures:
        """All training-normal images of a category, as published results use them."""
        return pictures_of(self._source.model_copy(update={"categories": [category]}))

    def test_set(self, category: str) -> TestSet:
        """The test images of a category. Raises InputError where masks and images do not belong together."""
        return TestSet(category, tuple(self._source.tests(category)), self._source.read)

"""Progress bars on standard error: rate, time left, and for a run its shards and failures."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

if TYPE_CHECKING:
    from synthgen.engines.base import News
    from synthgen.engines.run import Run
    from synthgen.runtime.progress import Progress
    from synthgen.sources.records import RejectedFile


class _Rate(TextColumn):
    def __init__(self, unit: str) -> None:
        super().__init__("")
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text(f"… {self._unit}/s")
        return Text(f"{speed:,.0f} {self._unit}/s" if speed >= 10 else f"{speed:.2g} {self._unit}/s")


def _bar(unit: str, *more: TextColumn, transient: bool) -> Bar:
    """A bar; a transient one goes in the end, and is not there at all where it would be written to a file."""
    console = Console(stderr=True)
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        *more,
        TimeRemainingColumn(),
        console=console,
        transient=transient,
        disable=transient and not console.is_interactive,
    )


@contextmanager
def bars(what: str, unit: str) -> "Iterator[Progress]":
    """A bar for one stage of the work; it appears with the first report."""
    with _bar(unit, transient=True) as bar:
        task = bar.add_task(what, visible=False)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        yield show


class _HasUpdates(Protocol):
    """A training, of so many updates in all."""

    @property
    def updates(self) -> int: ...


class _HasLoss(Protocol):
    """An update that was made."""

    @property
    def loss(self) -> float: ...


TrainingT = TypeVar("TrainingT", bound=_HasUpdates)


@contextmanager
def training_bar(
    what: str, begin: "Callable[[TrainingT], None]"
) -> "Iterator[Callable[[TrainingT, int, _HasLoss | None], None]]":
    """A bar for a training, its loss averaged over about a hundred updates; ``begin`` is called first."""
    with _begun_later(_bar("updates", TextColumn("loss {task.fields[loss]:.4f}"), transient=False)) as bar:
        task = bar.add_task(what, loss=0.0)
        mean = 0.0
        first = 0

        def show(training: TrainingT, done: int, update: _HasLoss | None) -> None:
            nonlocal mean, first
            if update is None:
                begin(training)
                return
            if not first:
                first = done
                bar.reset(task, completed=done - 1, total=training.updates)
                bar.start()
            mean += (update.loss - mean) / min(done - first + 1, 100)
            bar.update(task, completed=done, loss=mean)

        yield show


@contextmanager
def run_bar(begin: "Callable[[Run], None]") -> "Iterator[Callable[[Run, News], None]]":
    """A bar for a run, with its shards and rejected samples; ``begin`` is called first."""
    columns = [f"{{task.fields[{field}]}}" for field in ("shards", "rejected", "nodes")]
    with _begun_later(_bar("images", *map(TextColumn, columns), transient=False)) as bar:
        task = bar.add_task("", shards="", rejected="", nodes="")
        nodes: Counter[str] = Counter()
        shards = finished = rejected = 0
        begun = False

        def show(run: "Run", news: "News") -> None:
            nonlocal begun, shards, finished, rejected
            if not begun:
                begun = True
                begin(run)
                shards, total = len(run.missing), run.samples(run.missing)
                bar.reset(task, description=run.plan.recipe.name, total=total)
                if shards:
                    bar.start()
            if news.finished:
                finished += 1
                rejected += news.finished.statistics.outcomes.get("rejected", 0)
                if news.node:
                    nodes[news.node] += 1
            bar.update(
                task,
                advance=news.samples,
                shards=f"{finished}/{shards} shards",
                rejected=f"{rejected} rejected",
                nodes=", ".join(f"{node}: {count}" for node, count in sorted(nodes.items())),
            )

        yield show


@contextmanager
def _begun_later(bar: Bar) -> Iterator[Bar]:
    """A bar that is shown from its start on, so that work which fails before shows none."""
    try:
        yield bar
    finally:
        if bar.live.is_started:
            bar.stop()


def print_notes(notes: "Sequence[str]") -> None:
    """What a person should know, a line each."""
    from synthgen.config.document import one_line

    for note in notes:
        print(one_line(f"note: {note}"), file=sys.stderr)


def print_skipped(rejected: "Sequence[RejectedFile]", more: str = "") -> None:
    """The first files that cannot be used, and how many more there are."""
    from synthgen.config.document import one_line
    from synthgen.config.listing import MOST_LISTED

    for file in rejected[:MOST_LISTED]:
        print(one_line(f"skipped {file.path}: {file.reason}"), file=sys.stderr)
    if len(rejected) > MOST_LISTED:
        where = f"; {more}" if more else ""
        print(f"… and {len(rejected) - MOST_LISTED} more{where}", file=sys.stderr)

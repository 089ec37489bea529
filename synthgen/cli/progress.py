"""Progress bars on standard error: rate, time left, and for a run its shards and failures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from synthgen.diffusion.training.trainer import Update
    from synthgen.engines.base import Engine
    from synthgen.engines.run import Run


class _Rate(TextColumn):
    def __init__(self, unit: str) -> None:
        super().__init__("")
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text(f"… {self._unit}/s")
        return Text(f"{speed:,.0f} {self._unit}/s" if speed >= 10 else f"{speed:.2g} {self._unit}/s")


def _bar(unit: str, *more: TextColumn, transient: bool) -> Progress:
    """A bar; a transient one goes in the end, and is not there at all where it would be written to a file."""
    console = Console(stderr=True)
    return Progress(
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
def counted(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for work that tells (done, total); it appears with the first news."""
    with _bar(unit, transient=True) as bar:
        task = bar.add_task(what, visible=False)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        yield show


@contextmanager
def training_bar(what: str, updates: int, shown: bool) -> Iterator["Callable[[int, Update], None]"]:
    """A bar for a training, with its loss averaged over about a hundred updates."""
    with _bar("updates", TextColumn("loss {task.fields[loss]:.4f}"), transient=not shown) as bar:
        task = bar.add_task(what, total=updates, visible=False, loss=0.0)
        mean = 0.0
        first = 0

        def show(done: int, update: "Update") -> None:
            nonlocal mean, first
            if not first:
                first = done
                bar.reset(task, completed=done - 1, visible=True)
            mean += (update.loss - mean) / min(done - first + 1, 100)
            bar.update(task, completed=done, loss=mean)

        yield show


def follow(run: "Run", engine: "Engine") -> None:
    """Make what is missing of a run and show how it goes."""
    missing = run.missing
    columns = TextColumn("{task.fields[shards]} shards"), TextColumn("{task.fields[rejected]} rejected")
    with _bar("images", *columns, transient=not missing) as bar:
        task = bar.add_task(
            run.plan.recipe.name, total=run.samples(missing), shards=f"0/{len(missing)}", rejected=0
        )
        finished = rejected = 0
        for news in run.make(engine):
            if news.finished:
                finished += 1
                rejected += news.finished.statistics.outcomes.get("rejected", 0)
            bar.update(task, advance=news.samples, shards=f"{finished}/{len(missing)}", rejected=rejected)

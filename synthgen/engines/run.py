"""A run: a plan, a directory and an engine; resumes by reading marks."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from synthgen.engines.base import Engine, News
from synthgen.errors import InputError, RunError
from synthgen.plan.plan import Plan
from synthgen.recipe.files import dump_recipe
from synthgen.runtime.versions import versions
from synthgen.shards.card import MANIFEST, README, RECIPE, TIMM_INFO, manifest, timm_info, write_card
from synthgen.shards.mark import Mark, mark_name, read_mark, shard_name
from synthgen.shards.numbering import PLAN_NAME, shard_count, shard_indices
from synthgen.shards.reader import read_plan
from synthgen.shards.statistics import merge
from synthgen.storage.output import OutputDirectory, explained
from synthgen.storage.root import Root
from synthgen.synthesizers.advice import advice

MAX_REJECTED_SHARE = 0.01
ENOUGH_TO_GIVE_UP = 500
"""Samples after which a run that rejects far too many stops early."""
MAX_SHARDS = 1_000_000
"""Shards have names of six digits, which must sort as the numbers do."""


@dataclass(slots=True)
class Run:
    """A directory that is being filled with the shards of a plan."""

    plan: Plan
    directory: OutputDirectory
    shards: Sequence[int]
    """The shards that this run is to make, finished ones included."""
    marks: dict[int, Mark] = field(default_factory=dict)
    _asked: int = field(default=0, init=False)
    """Samples of the marks that were to be anomalous."""
    _rejected: int = field(default=0, init=False)

    def add(self, mark: Mark) -> None:
        """Take the mark of a finished shard."""
        self.marks[mark.first_index // self.plan.recipe.output.shard_size] = mark
        self._asked += mark.statistics.samples - mark.statistics.outcomes.get("normal", 0)
        self._rejected += mark.statistics.outcomes.get("rejected", 0)

    @property
    def missing(self) -> list[int]:
        """The asked-for shards without a mark."""
        return [shard for shard in self.shards if shard not in self.marks]

    @property
    def other_versions(self) -> list[str]:
        """The finished shards that were made with other library versions than those installed now."""
        return [mark.shard for mark in self.marks.values() if mark.versions != versions()]

    def samples(self, shards: Sequence[int]) -> int:
        """How many samples some shards have together."""
        return sum(len(shard_indices(self.plan, shard)) for shard in shards)

    def make(self, engine: Engine) -> Generator[News]:
        """Make what is missing. Raises RunError where more than 1 % of the samples are rejected."""
        missing = self.missing
        if missing:
            progress = engine.run(self.plan, self.directory.url, missing)
            try:
                for news in progress:
                    if news.finished:
                        self.add(news.finished)
                        self._check_rejected(5 * MAX_REJECTED_SHARE, at_least=ENOUGH_TO_GIVE_UP)
                    yield news
            finally:
                progress.close()  # type: ignore[attr-defined]
        self.finish()

    def finish(self) -> None:
        """Write what describes the whole, where every shard is there.

        Raises RunError where more than 1 % of the samples are rejected.
        """
        self._check_rejected(MAX_REJECTED_SHARE, at_least=1)
        if len(self.marks) == shard_count(self.plan):
            with explained(self.directory.url):
                _finish(self)

    def _check_rejected(self, most: float, at_least: int) -> None:
        asked, rejected = self._asked, self._rejected
        if asked < at_least or rejected <= most * asked:
            return
        statistics = merge(mark.statistics for mark in self.marks.values())
        method, reasons = max(statistics.rejected.items(), key=lambda item: sum(item[1].values()))
        reason = max(reasons, key=lambda each: reasons[each])
        used = next(each for each in self.plan.recipe.synthesizers if each.method == method)
        raise RunError(
            f"{rejected} of {asked} anomalous samples ({rejected / asked:.1%}, more than 1 %) were rejected, "
            f"most of them {method}: {reason}; look at `synthgen preview`, then {advice(used, reason)}"
        )


def open_run(plan: Plan, url: str, shards: Sequence[int] | None = None) -> Run:
    """Begin or resume a run.

    Raises InputError where the directory was made by another recipe or holds what a run would write over.
    """
    require_shards(plan, shards)
    directory = OutputDirectory(url)
    directory.create()
    root = Root(url)
    # Where a directory is no more than the beginning of names, there is none before its first file.
    names = set(root.names() if root.is_folder() else ())
    _refuse_foreign(plan, root, names)
    directory.remove_leftovers()
    everything = range(shard_count(plan))
    with explained(url):
        directory.write(PLAN_NAME, plan.model_dump_json().encode())
        directory.write(RECIPE, dump_recipe(plan.recipe).encode())
    run = Run(plan, directory, everything if shards is None else shards)
    for shard in everything:
        mark = _finished(plan, root, shard) if mark_name(shard) in names else None
        if mark:
            run.add(mark)
    return run


def require_shards(plan: Plan, shards: Sequence[int] | None) -> None:
    """Raise InputError where a plan has more shards than a run may have, or not the ones that are wanted."""
    total = shard_count(plan)
    if shards and shards[-1] >= total:
        raise InputError(f"shard {shards[-1]}: the recipe has {total} shards, 0 to {total - 1}")
    if total > MAX_SHARDS:
        raise InputError(
            f"{plan.recipe.count} samples would be {total} shards, and a run has at most "
            f"{MAX_SHARDS}; give a larger output.shard_size than {plan.recipe.output.shard_size}"
        )


def _refuse_foreign(plan: Plan, root: Root, names: set[str]) -> None:
    tars = {name for name in names if name.endswith(".tar")}
    if PLAN_NAME not in names:
        for name in sorted(tars | names.intersection((RECIPE, README, MANIFEST, TIMM_INFO))):
            raise InputError(
                f"{root.url}: holds {name} and no {PLAN_NAME}: not by synthgen; choose another --out"
            )
        return
    there = read_plan(root)
    if there.fingerprint != plan.fingerprint:
        raise InputError(
            f"{root.url}: was made by another recipe or from other images (found {there.recipe.name}, "
            f"fingerprint {there.fingerprint[:12]}; expected {plan.recipe.name}, {plan.fingerprint[:12]}); "
            "choose another --out"
        )
    if there.recipe.output != plan.recipe.output:
        raise InputError(
            f"{root.url}: was written with other output settings ({there.recipe.output}); "
            "choose another --out or the same output"
        )
    beyond = tars - {shard_name(shard) for shard in range(shard_count(plan))}
    if beyond:
        raise InputError(
            f"{root.url}: holds {min(beyond)}, and {plan.recipe.count} samples are "
            f"{shard_count(plan)} shards; ask for the count it was made with, or choose another --out"
        )


def _finished(plan: Plan, root: Root, shard: int) -> Mark | None:
    """The mark of a shard that is whole and what the plan asks for."""
    mark = read_mark(root, shard)
    wanted = len(shard_indices(plan, shard))
    if mark is None or mark.fingerprint != plan.fingerprint or mark.count != wanted:
        return None
    return mark if root.size(shard_name(shard)) == mark.bytes else None


def _finish(run: Run) -> None:
    """Write what describes the whole: manifest, timm's shard list, the dataset card."""
    import json

    marks = [run.marks[shard] for shard in sorted(run.marks)]
    write = run.directory.write
    write(MANIFEST, json.dumps(manifest(marks, run.plan), indent=1).encode())
    write(TIMM_INFO, json.dumps(timm_info(marks), indent=1).encode())
    write(README, write_card(marks, run.plan).encode())

"""Whether a directory of shards is whole, and every sample in it what its facts say."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from os import PathLike
from typing import IO, Any

from synthgen.errors import InputError
from synthgen.plan.plan import Plan, fingerprint
from synthgen.runtime.progress import Progress
from synthgen.sample import FORMAT_VERSION, Facts, sample_key
from synthgen.shards.card import MANIFEST, README, RECIPE, TIMM_INFO, manifest, timm_info
from synthgen.shards.encode import extensions
from synthgen.shards.mark import Mark, mark_name, read_mark, shard_name
from synthgen.shards.numbering import PLAN_NAME, shard_count, shard_indices
from synthgen.shards.reader import RawSample, open_directory, open_shard, read_plan, samples_in
from synthgen.shards.statistics import ShardStatistics
from synthgen.shards.verify_sample import NormalOf, SampleChecks
from synthgen.storage.root import Root
from synthgen.storage.whole_file import PARTIAL_SUFFIX

MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be; ``key`` is empty where it is not about one sample."""

    shard: str
    key: str
    what: str
    found: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.shard} {self.key}".rstrip()
        return f"{place}: {self.what}: found {self.found}, expected {self.expected}"


@dataclass(slots=True)
class Report:
    """What a verification found. ``problems`` lists at most MOST_LISTED of ``problem_count``."""

    shards_planned: int
    samples_planned: int
    shards: int = 0
    """Shards that were there and read."""
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    unchecked: Counter[str] = field(default_factory=Counter)
    """What could not be checked and why, with the number of samples."""
    remarks: list[str] = field(default_factory=list)
    """What is no fault, but should not be overlooked."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.problem_count == 0

    @property
    def samples(self) -> int:
        """How many samples were read."""
        return self.outcomes.total()

    def add(self, problem: Problem) -> None:
        """Count a problem, and list it if there is room."""
        self.problem_count += 1
        if len(self.problems) < MOST_LISTED:
            self.problems.append(problem)

    def lines(self) -> list[str]:
        """The report for people."""
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        unlisted = self.problem_count - len(self.problems)
        return [
            f"read {self.shards} of {self.shards_planned} shards, "
            f"{self.samples} of {self.samples_planned} samples" + (f" ({outcomes})" if outcomes else ""),
            *(f"not checked: {what} ({count} samples)" for what, count in sorted(self.unchecked.items())),
            *(f"note: {remark}" for remark in self.remarks),
            *(f"problem: {problem}" for problem in self.problems),
            *([f"… and {unlisted} more problems"] if unlisted else []),
            ("what was checked is as it should be" if self.unchecked else "everything is as it should be")
            if self.ok
            else f"{self.problem_count} problem{'s' if self.problem_count > 1 else ''} found",
        ]


def verify_shards(
    directory: str | PathLike[str], normal_of: NormalOf | None = None, progress: Progress | None = None
) -> Report:
    """Read every shard of a directory, a path or fsspec URL, and check all that can be checked.

    ``normal_of`` renders the paired normal images where the shards do not hold them; without it, or where
    it gives None, the report says what was not checked. ``progress`` counts samples. Raises InputError where
    it is no synthgen directory.
    """
    opened = open_directory(directory)
    return _Verification(opened, read_plan(opened), normal_of, progress or (lambda done, total: None)).run()


class _Verification:
    """One run over one directory."""

    def __init__(self, root: Root, plan: Plan, normal_of: NormalOf | None, progress: Progress) -> None:
        self._root = root
        self._plan = plan
        self._progress = progress
        self._extensions = extensions(plan.recipe.output)
        self._checks = SampleChecks(plan, normal_of)
        self._report = Report(shard_count(plan), plan.recipe.count)

    def run(self) -> Report:
        names = set(self._root.names())
        pinned = fingerprint(self._plan)
        self._compare(PLAN_NAME, "fingerprint", self._plan.fingerprint, pinned)
        marks = [self._check_shard(shard, names) for shard in range(shard_count(self._plan))]
        whole = [mark for mark in marks if mark]
        if len(whole) == len(marks):
            self._check_description(whole, names)
        self._check_other_files(names)
        self._report.unchecked.update(self._checks.unchecked)
        return self._report

    def _check_shard(self, shard: int, names: set[str]) -> Mark | None:
        """Check one shard; returns its mark, if it has one."""
        name, indices = shard_name(shard), shard_indices(self._plan, shard)
        mark = self._mark(shard, names)
        if name not in names:
            self._add(name, "shard", "missing", "a finished shard; run generate again to resume")
        else:
            self._report.shards += 1
            try:
                self._check_tar(shard, indices, mark)
            except InputError as error:
                self._add(name, "tar", str(error), "a whole tar")
            except OSError as error:
                self._add(name, "tar", f"unreadable ({error.strerror or error})", "a readable file")
        self._progress(indices.stop, self._plan.recipe.count)
        return mark

    def _mark(self, shard: int, names: set[str]) -> Mark | None:
        name = shard_name(shard)
        try:
            mark = read_mark(self._root, shard)
        except InputError as error:
            self._add(name, "mark", str(error), "a mark")
            return None
        if mark is None:
            if name in names:
                self._add(name, "mark", "missing", f"{mark_name(shard)}; run generate again to resume")
            return None
        indices = shard_indices(self._plan, shard)
        self._compare(name, "mark.format_version", mark.format_version, FORMAT_VERSION)
        self._compare(name, "mark.shard", mark.shard, name)
        self._compare(name, "mark.fingerprint", mark.fingerprint, self._plan.fingerprint)
        self._compare(name, "mark.first_index", mark.first_index, indices.start)
        self._compare(name, "mark.count", mark.count, len(indices))
        self._compare(name, "mark.extensions", mark.extensions, self._extensions)
        return mark

    def _check_tar(self, shard: int, indices: range, mark: Mark | None) -> None:
        """Read the tar once: its samples, its sum and its size."""
        name = shard_name(shard)
        facts: list[Facts] = []
        spans: list[list[int]] = []
        damage = ""
        with open_shard(self._root, shard) as file:
            stream = _SummedStream(file)
            try:
                for sample in samples_in(stream, name):  # type: ignore[arg-type]  # tarfile only reads
                    index = indices.start + len(spans)
                    spans.append(sample.spans)
                    facts.extend(self._check_sample(name, sample, index))
                    self._progress(min(index + 1, indices.stop), self._plan.recipe.count)
            except InputError as error:
                damage = str(error)
            stream.drain()
        if damage:
            self._add(name, "tar", damage, "a whole tar")
        self._compare(name, "samples", len(spans), len(indices))
        if mark:
            self._compare(name, "bytes", stream.size, mark.bytes)
            self._compare(name, "sha256", stream.sum.hexdigest(), mark.sha256)
            if mark.members != spans:
                self._add(name, "mark.members", "other offsets or sizes", "those of the members in the tar")
            if len(facts) == len(spans) and mark.statistics != ShardStatistics.of(facts):
                self._add(name, "mark.statistics", "other counts", "those of the samples in the tar")

    def _check_sample(self, shard: str, sample: RawSample, index: int) -> Iterable[Facts]:
        """Check one sample; returns its facts, if it has them."""
        key = sample_key(index)
        if sample.key != key:
            self._add(shard, "key", sample.key, key, sample.key)
        if list(sample.members) != self._extensions:
            self._add(shard, "members", list(sample.members), self._extensions, sample.key)
            if set(sample.members) != set(self._extensions):
                return []
        facts, findings = self._checks.check(sample, index)
        for finding in findings:
            self._add(shard, *finding, sample.key)
        if facts:
            self._report.outcomes[facts.outcome] += 1
        return [facts] if facts else []

    def _check_description(self, marks: list[Mark], names: set[str]) -> None:
        """The files that are written when all shards are there."""
        expected = {MANIFEST: manifest(marks, self._plan), TIMM_INFO: timm_info(marks)}
        for name in (MANIFEST, TIMM_INFO, README, RECIPE):
            if name not in names:
                self._add(name, "file", "missing", "written at the end of a run; run generate again")
            elif name in expected and _json(self._root.content(name) or b"") != expected[name]:
                self._add(name, "content", "other than the marks say", "what generate writes at its end")

    def _check_other_files(self, names: set[str]) -> None:
        """Shards beyond the plan would be read along with the others; anything else is only in the way."""
        shards = range(shard_count(self._plan))
        known = {PLAN_NAME, RECIPE, MANIFEST, TIMM_INFO, README}
        known.update(map(shard_name, shards), map(mark_name, shards))
        for name in sorted(names - known):
            if name.endswith(".tar"):
                self._add(name, "shard", "a shard that is not in the plan", f"{len(shards)} shards")
            elif name.startswith(".") and name.endswith(PARTIAL_SUFFIX):
                self._report.remarks.append(
                    f"{name} is a half-written file; delete it if no run is under way"
                )
            else:
                self._report.remarks.append(f"{name} is not a file of synthgen")

    def _compare(self, shard: str, what: str, found: object, expected: object) -> None:
        if found != expected:
            self._add(shard, what, found, expected)

    def _add(self, shard: str, what: str, found: object, expected: object, key: str = "") -> None:
        self._report.add(Problem(shard, key, what, str(found), str(expected)))


def _json(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


class _SummedStream:
    """A file that is read front to back, with the sum and size of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sum: Any = sha256()
        self.size = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.sum.update(data)
        self.size += len(data)
        return data

    def drain(self) -> None:
        """Read what is left."""
        while self.read(1 << 20):
            pass

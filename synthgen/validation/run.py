"""One validation in its directory: what is missing is done, and what is done is kept."""

import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy.typing as npt

from synthgen.engines.base import Engine
from synthgen.errors import InputError
from synthgen.runtime.progress import Stages
from synthgen.storage.output import OutputDirectory
from synthgen.validation.assemble import assemble
from synthgen.validation.cell import Cell
from synthgen.validation.entrants import Entrant, entrants, fitted_once
from synthgen.validation.job import (
    HELD_OUT,
    LEARNING,
    REAL,
    CellTask,
    FeaturesTask,
    SetTask,
    Task,
    set_name,
)
from synthgen.validation.measures import Measurements
from synthgen.validation.report import ValidationReport
from synthgen.validation.setting import Setting
from synthgen.validation.work import perform
from synthgen.validation.write import REPORT, read_report, write_report

RUN = "run.json"


class Run:
    """One validation in its directory."""

    def __init__(self, setting: Setting, out: Path, engine: Engine, progress: Stages) -> None:
        self._setting, self._engine, self._progress = setting, engine, progress
        self._job = setting.job(out)
        self._entrants = [
            fitted_once(entrant, self._job.budget, self._job.side, self._job.network)
            for entrant in entrants(list(setting.recipes), list(setting.references), self._job.budget)
        ]

    def finished(self) -> ValidationReport | None:
        """The report, where this very run has come to its end before.

        Raises InputError where the directory is another validation's.
        """
        out = self._job.out
        if not (out / RUN).exists():
            if (out / REPORT).exists() or (out / "cells").exists():
                raise InputError(f"{out}: holds another report; choose another --out")
            return None
        try:
            run = json.loads((out / RUN).read_bytes())["run"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{out / RUN}: cannot be read ({error}); choose another --out") from error
        if run != self._job.run:
            raise InputError(
                f"{out}: is of a validation with other recipes, images, settings or versions; choose another "
                "--out, or remove it"
            )
        return read_report(out) if (out / REPORT).exists() else None

    def begin(self) -> None:
        """Write down which run this is, and the images that all processes look at."""
        job = self._job
        for folder in (job.out / "cells", job.workspace.folder):
            folder.mkdir(exist_ok=True)
            OutputDirectory(str(folder)).remove_leftovers()
        OutputDirectory(str(job.out)).write(RUN, json.dumps({"run": job.run}, indent=1).encode())
        product, real = self._setting.found.product, self._setting.found.real
        arrays: dict[str, npt.NDArray[Any]] = {
            f"{LEARNING}.images": product.learning.images,
            f"{HELD_OUT}.images": product.held_out.images,
        }
        if real is not None:
            arrays |= {f"{REAL}.masks": real.masks, f"{REAL}.labelled": real.labelled}
            arrays |= {f"{REAL}.images": real.images}
        for name, array in arrays.items():
            if not job.workspace.has(name):
                job.workspace.write(name, array)

    def perform(self) -> None:
        """Fill what is missing: first the sets that are judged, then the cells."""
        job = self._job
        sets: list[Task] = [SetTask(job, name) for name in job.recipes]
        images = [LEARNING, HELD_OUT, *([REAL] if self._setting.found.real is not None else [])]
        sets = [*(FeaturesTask(job, name) for name in images), *sets]
        self._perform("making samples to judge by", "sets", sets)
        cells: list[Task] = [
            CellTask(job, entrant, seed)
            for seed in range(self._setting.seeds)
            for entrant in self._entrants
            if entrant.uses_seed or seed == 0
        ]
        self._perform("fitting detectors", "fits", cells)

    def finish(self, begun: float) -> ValidationReport:
        """Put the report together, and remove what only the work needed."""
        cells = {
            (entrant, seed): self._cell(entrant, seed if entrant.uses_seed else 0)
            for entrant in self._entrants
            for seed in range(self._setting.seeds)
        }
        found = self._setting.found
        measurements = Measurements(
            self._job, self._entrants, self._setting.seeds, cells, found.product, found.real, found.faults
        )
        with self._progress("writing the report", "parts") as report:
            done, pictures = assemble(measurements, self._setting.budget, self._setting.parts, begun, report)
            write_report(done, pictures, self._job.out)
        shutil.rmtree(self._job.workspace.folder, ignore_errors=True)
        return done

    def _perform(self, what: str, unit: str, tasks: Sequence[Task]) -> None:
        missing = [task for task in tasks if not self._is_done(task)]
        done = len(tasks) - len(missing)
        with self._progress(what, unit) as report:
            report(done, len(tasks))
            with closing(self._engine.perform(perform, missing)) as news:
                for _ in news:
                    done += 1
                    report(done, len(tasks))

    def _is_done(self, task: Task) -> bool:
        workspace = self._job.workspace
        match task:
            case FeaturesTask(name=name):
                return workspace.has(f"{name}.stage3")
            case SetTask(recipe=recipe):
                return workspace.has(f"{set_name(recipe)}.stage3")
            case CellTask(entrant=entrant, seed=seed):
                return self._job.cell_file(entrant, seed).exists()

    def _cell(self, entrant: Entrant, seed: int) -> Cell:
        path = self._job.cell_file(entrant, seed)
        try:
            return Cell.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: cannot be read ({str(error).splitlines()[0]}); remove it, and run the same command "
                "again"
            ) from error

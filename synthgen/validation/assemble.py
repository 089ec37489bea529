"""From cells to a report."""

import os
import platform
from collections.abc import Mapping, Sequence
from time import monotonic

from pydantic import TypeAdapter

from synthgen.pretraining.record import weights_named
from synthgen.runtime.progress import Progress
from synthgen.runtime.versions import versions
from synthgen.validation.beyond_normal import BeyondNormal
from synthgen.validation.job import set_name
from synthgen.validation.measures import Measurements
from synthgen.validation.predictions import predictions
from synthgen.validation.protocol import BUDGETS, CONTROL, LEARNER, BudgetName, sentences
from synthgen.validation.recommendation import not_abnormal, not_tested, recommendation
from synthgen.validation.report import Fault, ValidationReport
from synthgen.validation.sheets import sheets
from synthgen.validation.statistics import estimate
from synthgen.validation.synthetic import detectability, set_facts
from synthgen.validation.tables import gains, pairs, rows, transfer

LEAK = 0.05
"""What the control's image AUROC may differ from .5."""


def assemble(
    measurements: Measurements, budget: BudgetName, parts: str | None, begun: float, progress: Progress
) -> tuple[ValidationReport, Mapping[str, bytes]]:
    """The report of a run, and its pictures by their files' names."""
    product, real = measurements.product, measurements.real
    table = rows(measurements)
    progress(1, 4)
    compared, gained = pairs(measurements), gains(measurements)
    progress(2, 4)
    pictures = sheets(measurements, table)
    progress(3, 4)
    beyond = BeyondNormal(measurements)
    facts, of_real = set_facts(measurements, beyond), beyond.of_real()
    doubtful = not_abnormal(facts, of_real) if beyond.is_sharp else []
    counts = (0, 0) if real is None else (int((~real.anomalous).sum()), int(real.anomalous.sum()))
    report = ValidationReport(
        product=product.name,
        recommendation=[
            *recommendation(product.name, table, compared, gained),
            *doubtful,
        ],
        not_tested=not_tested(table, compared, counts, measurements.seeds),
        budget=budget,
        seeds=measurements.seeds,
        learner=LEARNER,
        false_alarms=measurements.false_alarms,
        normals=len(product.learning),
        held_out=len(product.held_out),
        real_normal=counts[0],
        real_anomalous=counts[1],
        rows=table,
        gains=gained,
        pairs=compared,
        transfer=transfer(measurements),
        detectability=detectability(measurements),
        sets=facts,
        real_abnormal=of_real,
        predictions=predictions(measurements, beyond),
        faults=[*measurements.real_faults, *_faults(measurements)],
        notes=[*product.notes, *_notes(measurements), *beyond.notes()],
        protocol=sentences(
            BUDGETS[budget], measurements.seeds, product.side, measurements.false_alarms, parts is not None
        ),
        pictures=[picture for picture, _ in pictures],
        settings=_settings(measurements, parts),
        versions=versions(),
        hardware=_hardware(),
        seconds=monotonic() - begun,
        memory=max(cell.memory for cell in measurements.cells.values()),
    )
    progress(4, 4)
    return report, {picture.file: data for picture, data in pictures}


def _faults(measurements: Measurements) -> list[Fault]:
    found: list[Fault] = []
    adapter = TypeAdapter(list[Fault])
    for recipe in measurements.job.recipes:
        path = measurements.job.workspace.folder / f"{set_name(recipe)}.faults.json"
        if path.exists():
            found += adapter.validate_json(path.read_bytes())
    return [*gathered(found, len(measurements.job.recipes) - 1), *_leak(measurements)]  # less the control


def gathered(faults: Sequence[Fault], recipes: int) -> list[Fault]:
    """Faults of some of so many recipes, each once: what several have in common is said of them together."""
    subjects: dict[tuple[str, str], list[str]] = {}
    for fault in faults:
        subjects.setdefault((fault.fault, fault.sentence), []).append(fault.subject)
    return [
        Fault(
            subject="every recipe" if len(names) == recipes > 1 else ", ".join(names),
            fault=fault,
            sentence=says,
        )
        for (fault, says), names in subjects.items()
    ]


def _leak(measurements: Measurements) -> list[Fault]:
    """Whether samples in which nothing was pasted can be told from normal images all the same."""
    control = next(each for each in measurements.entrants if each.role == "control")
    value = estimate(measurements.on_samples(control, CONTROL))
    if value.low <= 0.5 + LEAK and value.high >= 0.5 - LEAK:
        return []
    sentence = (
        "Samples in which nothing was pasted are told from normal images, with image AUROC "
        f"{value.value:.3f} (interval {value.low:.3f} to {value.high:.3f}) where 0.5 is expected: something "
        "else than defects gives samples away, and no number here can be trusted."
    )
    return [Fault(subject=CONTROL, fault="leak", sentence=sentence)]


def _notes(measurements: Measurements) -> list[str]:
    """What the fits had to say, once for all seeds; and what the control came to."""
    control = next(each for each in measurements.entrants if each.role == "control")
    value = estimate(measurements.on_samples(control, CONTROL))
    found = [
        f"Control: image AUROC {value.value:.3f} on samples in which nothing was pasted, where 0.5 is right."
    ]
    for entrant in measurements.entrants:
        notes = dict.fromkeys(note for cell in measurements.of(entrant) for note in cell.notes)
        found += [f"{entrant.name}, {entrant.learner}: {note}" for note in notes]
    return found


def _settings(measurements: Measurements, parts: str | None) -> dict[str, str]:
    job = measurements.job
    found = {
        "backbone": job.network.backbone or "that of the weights, else efficientnet_lite0",
        "weights": weights_named(job.network.weights),
        "device": job.network.device,
        "image size": str(job.side),
        "samples to learn from": str(job.budget.samples),
        "updates": str(job.budget.steps),
        "samples to judge by": str(job.budget.judged),
    }
    return found | ({"parts": parts} if parts else {})


def _hardware() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}"

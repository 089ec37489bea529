"""What frames the page: what it is about and says first, and with what and how it was measured."""

from synthgen.validation.page import comparisons, real, results, synthesized, words
from synthgen.validation.page.content import Gallery, Items, Section, Terms
from synthgen.validation.report import ValidationReport


def title(report: ValidationReport) -> str:
    """The page's heading."""
    return f"Validation of recipes: {report.product}"


def scope(report: ValidationReport) -> str:
    """What was compared on what, in a line."""
    real = (
        f"{report.real_normal:,} good and {words.counted(report.real_anomalous, 'defective real test image')}"
        if report.real_normal or report.real_anomalous
        else "no real defects"
    )
    recipes = len({row.name for row in report.rows if row.role == "recipe"})
    parts = [
        words.counted(recipes, "recipe"),
        f"judged by {report.learner}",
        f"{words.counted(report.normals, 'normal image')} learned from, {report.held_out:,} held out",
        real,
        words.counted(report.seeds, "seed"),
        f"budget {report.budget}",
    ]
    return "\u00a0· ".join(parts)


def sections(report: ValidationReport) -> list[Section]:
    """All that follows the recommendation, without what there is nothing to say about."""
    found = (
        results.results(report),
        comparisons.gains(report),
        comparisons.pairs(report),
        results.uncertainty(report),
        real.defects(report),
        synthesized.transfer(report),
        synthesized.detectability(report),
        synthesized.sets(report),
        real.predictions(report),
        _pictures(report),
        _notes(report),
        _protocol(report),
        _settings(report),
        _means(report),
    )
    return [section for section in found if section]


def _pictures(report: ValidationReport) -> Section | None:
    return Section("Pictures", "", [Gallery(report.pictures)]) if report.pictures else None


def _notes(report: ValidationReport) -> Section | None:
    return Section("Notes", "", [Items(report.notes)]) if report.notes else None


def _protocol(report: ValidationReport) -> Section | None:
    return Section("How it was measured", "", [Items(report.protocol)]) if report.protocol else None


def _settings(report: ValidationReport) -> Section | None:
    return Section("Settings", "", [Terms(list(report.settings.items()))]) if report.settings else None


def _means(report: ValidationReport) -> Section:
    pairs = [
        ("time", words.duration(report.seconds)),
        ("memory", f"{words.memory(report.memory)} at most in one process"),
        ("hardware", report.hardware),
        *report.versions.items(),
    ]
    return Section("Time, memory, hardware and versions", "", [Terms(pairs)])

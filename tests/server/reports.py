"""Reports of validations for a server to show."""

from pathlib import Path

from synthgen.validation.report import ValidationReport

PAGE = "<!doctype html><title>nuts</title>"


def a_report() -> ValidationReport:
    return ValidationReport(
        product="nuts",
        recommendation=["For nuts train on nsa.", "Worse: scar."],
        not_tested=[],
        budget="quick",
        seeds=1,
        learner="segmenter",
        false_alarms=0.1,
        normals=9,
        held_out=3,
        rows=[],
        protocol=[],
        settings={},
        versions={},
        hardware="",
        seconds=1.0,
        memory=1,
    )


def write_reports(folder: Path) -> Path:
    """A finished report, a damaged one, and one that is not finished."""
    for name, data in (("nuts", a_report().model_dump_json()), ("damaged", "{}")):
        (folder / name).mkdir(parents=True)
        (folder / name / "report.html").write_text(PAGE)
        (folder / name / "report.json").write_text(data)
    (folder / "unfinished").mkdir()
    (folder / "unfinished" / "report.html").write_text(PAGE)
    return folder

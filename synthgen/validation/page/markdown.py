"""The page as Markdown: the same sections without the plots, whose numbers stand in tables."""

import re
from collections.abc import Sequence

from synthgen.validation.page.content import Cell, Gallery, Items, Paragraphs, Part, Section, Table, Terms
from synthgen.validation.page.particulars import scope, sections, title
from synthgen.validation.report import ValidationReport


def markdown(report: ValidationReport) -> str:
    """The page as Markdown with GitHub's tables; pictures are named as files in ``pictures``."""
    blocks = [f"# {_escaped(title(report))}", _line(scope(report))]
    if report.recommendation:
        lead, *rest = report.recommendation
        blocks += ["## Recommendation", f"**{_escaped(lead)}**", *map(_line, rest)]
    if report.not_tested:
        blocks += ["## What this does not say", _list(report.not_tested)]
    if report.faults:
        faults = [
            f"> - **{_escaped(f'{each.subject}: {each.fault}')}** {_escaped(each.sentence)}"
            for each in report.faults
        ]
        blocks += ["## Warning: what was compared has faults", "\n".join(faults)]
    blocks += [block for section in sections(report) for block in _section(section)]
    return "\n\n".join(blocks) + "\n"


def _section(section: Section) -> list[str]:
    says = [_line(section.says)] if section.says else []
    return [f"## {section.title}", *says, *(block for part in section.parts for block in _blocks(part))]


def _blocks(part: Part) -> list[str]:
    match part:
        case Paragraphs(texts):
            return list(map(_line, texts))
        case Items(texts):
            return [_list(texts)]
        case Terms(pairs):
            return ["\n".join(f"- **{_escaped(name)}**: {_escaped(text)}" for name, text in pairs)]
        case Table():
            return [f"{_line(part.label)}:", _table(part)]
        case Gallery(pictures):
            return [
                f"![{_escaped(each.alternative)}](<pictures/{each.file}>)\n\n{_line(each.caption)}"
                for each in pictures
            ]
    return []


def _list(texts: Sequence[str]) -> str:
    return "\n".join(f"- {_line(text)}" for text in texts)


def _table(table: Table) -> str:
    head = [_escaped(column.title) for column in table.columns]
    rows = []
    for group in table.groups:
        if group.title:
            rows.append([f"**{_escaped(group.title)}**", *[""] * (len(head) - 1)])
        rows += [list(map(_cell, row)) for row in group.rows]
    ruler = [
        ":--" if column.words or not position else "--:" for position, column in enumerate(table.columns)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def _cell(cell: Cell) -> str:
    return _escaped(f"{cell.text}; {cell.detail}" if cell.detail else cell.text)


def _escaped(text: str) -> str:
    """Text in one line in which nothing is taken for markup."""
    text = re.sub(r"([\\`*\[\]<>|~&])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def _line(text: str) -> str:
    """Text that begins a line, where more is markup."""
    text = re.sub(r"^([#+=-])", r"\\\1", _escaped(text))
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", text)

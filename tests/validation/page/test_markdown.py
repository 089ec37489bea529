"""The Markdown says what the page says."""

import pytest
from markdown_it import MarkdownIt

from synthgen.validation import page
from synthgen.validation.report import ValidationReport
from tests.validation.page.examples import written
from tests.validation.page.parsing import Parsed

ODD = [
    "**bold** _slanted_ `code` [link](x) ![image](y)",
    "<script>1</script> &amp;&lt;",
    "a|b \\| ~~gone~~",
    "# heading",
    "12. item",
    "- item",
    "snake_case_name",
]


def rendered(report: ValidationReport) -> Parsed:
    """The Markdown as GitHub would show it: CommonMark with tables and strike-through."""
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return Parsed(reader.render(page.markdown(report)))


def test_it_holds_the_same_headings_and_tables_as_the_page(report: ValidationReport) -> None:
    html = Parsed(written(report))
    markdown = rendered(report)
    assert markdown.headings == html.headings
    assert len(markdown.tables) == len(html.tables)
    for found, expected in zip(markdown.tables, html.tables, strict=True):
        width = len(expected.rows[0])
        padded = [row + [""] * (width - len(row)) for row in expected.rows]
        assert found.rows == padded


def test_it_says_every_sentence(real: ValidationReport, quick: ValidationReport) -> None:
    for report in (real, quick):
        text = " ".join(rendered(report).text.split())
        sentences = [*report.recommendation, *report.not_tested, *report.notes, *report.protocol]
        sentences += [fault.sentence for fault in report.faults]
        sentences += [*report.settings.values(), report.hardware]
        for sentence in sentences:
            assert sentence in text


def test_pictures_are_named_as_files(real: ValidationReport) -> None:
    images = rendered(real).of("img")
    assert [each["src"] for each in images] == ["pictures/perlin-texture.png", "pictures/real.jpg"]
    assert [each["alt"] for each in images] == [each.alternative for each in real.pictures]


@pytest.mark.parametrize("text", ODD)
def test_no_text_becomes_markup(text: str, quick: ValidationReport) -> None:
    rows = [quick.rows[0].model_copy(update={"name": text}), *quick.rows[1:]]  # in two tables
    odd = quick.model_copy(
        update={"rows": rows, "recommendation": ["Lead.", text], "not_tested": [text], "notes": [text]}
    )
    parsed = rendered(odd)
    assert parsed.texts.count(text) == 4
    assert parsed.tables[0].row(text)
    assert not [tag for tag, _ in parsed.tags if tag in ("script", "em", "code", "a", "img", "s", "ol")]


def test_a_line_break_stays_within_its_cell(quick: ValidationReport) -> None:
    rows = [quick.rows[0].model_copy(update={"name": "two\nlines\n\n# here"}), *quick.rows[1:]]
    parsed = rendered(quick.model_copy(update={"rows": rows}))
    assert parsed.tables[0].row("two lines # here")

"""The page says what the report holds, in order, as safe and accessible HTML that needs nothing else."""

import re
import subprocess
import sys
from base64 import b64decode

import pytest

from synthgen.validation import page
from synthgen.validation.report import Fault, ValidationReport, Value
from tests.validation.page import examples
from tests.validation.page.examples import written
from tests.validation.page.parsing import Parsed

MARKUP = '<script>alert("1")</script>&amp;$x_1$'


def shown(value: Value) -> str:
    return f"{value.value:.2f} ({value.low:.2f}–{value.high:.2f})"


@pytest.fixture(scope="module")
def whole(real: ValidationReport) -> Parsed:
    return Parsed(written(real))


def test_the_page_is_balanced_and_its_ids_are_unique(report: ValidationReport) -> None:
    text = written(report)
    assert text.startswith("<!doctype html>")
    ids = [attributes["id"] for _, attributes in Parsed(text).tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_link_leads_to_a_part_of_the_page(report: ValidationReport) -> None:
    parsed = Parsed(written(report))
    ids = {attributes.get("id") for _, attributes in parsed.tags}
    links = [str(attributes["href"]) for attributes in parsed.of("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= ids


def test_nothing_is_loaded_from_elsewhere(report: ValidationReport) -> None:
    text = written(report)
    sources = [
        value
        for _, attributes in Parsed(text).tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "data", "action")
    ]
    assert sources
    assert all(str(each).startswith(("data:", "#")) for each in sources)
    assert not re.search(r"https?:|@import|url\((?!#)|[\"'(]//", text)
    assert "<script" not in text


def test_headings_are_in_order_and_have_something_below_them(report: ValidationReport) -> None:
    text = written(report)
    levels = [level for level, _ in Parsed(text).headings]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert not re.search(r"</h2>\s*(</section>|<h2)", text)
    assert not re.search(r"<(tbody|ul|dl|p|figcaption)>\s*</\1>", text)


def test_what_is_seen_is_also_said(whole: Parsed) -> None:
    assert all(attributes.get("scope") in ("col", "row", "rowgroup") for attributes in whole.of("th"))
    assert all(attributes.get("alt") for attributes in whole.of("img"))
    plots = [each for each in whole.of("div") if each.get("role") == "img"]
    assert len(plots) == len(whole.of("svg")) == 10
    assert all(each.get("aria-label") for each in plots)
    assert all(each.get("aria-hidden") == "true" for each in whole.of("svg"))
    assert all(table.label for table in whole.tables)


def test_the_answer_comes_first_then_its_limits_then_faults(real: ValidationReport) -> None:
    fault = Fault(subject="nsa", fault="nothing changed", sentence="No pixel changed in 9 samples.")
    parsed = Parsed(written(real.model_copy(update={"faults": [fault]})))
    said = [*real.recommendation, *real.not_tested, "nsa: nothing changed", fault.sentence, "Results"]
    places = [parsed.texts.index(each) for each in said[:-1]]
    assert places == sorted(places)
    assert [title for _, title in parsed.headings[1:5]] == [
        "Recommendation",
        "What this does not say",
        "Warning: what was compared has faults",
        "Results",
    ]


def test_every_value_of_every_row_stands_in_the_results(real: ValidationReport, whole: Parsed) -> None:
    table = whole.table("Results")
    assert table.rows[0] == [
        "name and learner",
        "image AUROC",
        "pixel AP",
        "AUPRO 0.3",
        "AUPIMO",
        "recall",
        "transfer",
        "time",
    ]
    for row in real.rows:
        found = table.row(row.name)
        values = [row.real[outcome] for outcome in examples.OUTCOMES] + [row.transfer]
        expected = [f"{shown(each)}; seeds ±{each.of_seeds:.3f}" if each else "–" for each in values]
        assert found[:-1] == [f"{row.name}; {row.learner}", *expected]
        assert found[-1].endswith("; 3 seeds")


def test_recipes_are_ranked_and_the_others_are_called_what_they_are(whole: Parsed) -> None:
    first = [row[0].partition("; ")[0] for row in whole.table("Results").rows[1:]]
    references = ["patchcore", "padim", "feature noise", "feature distance"]
    expected = ["Recipes", *examples.RECIPES, "References", *references]
    assert first == [*expected, "Control", "nothing pasted"]


def test_the_recipes_of_the_learner_that_counts_stand_first(quick: ValidationReport) -> None:
    rows = Parsed(written(quick)).table("Results").rows[2:]
    assert [row[0].split("; ")[1] for row in rows] == ["segmenter", "segmenter", "realnet", "realnet"]
    best = quick.rows[-1].model_copy(update={"real": {"image_auroc": examples.value(0.999)}})
    rows = Parsed(written(quick.model_copy(update={"rows": [best, *quick.rows[:-1]]}))).table("Results").rows
    assert rows[4][0] == f"{best.name}; realnet"


def test_the_two_errors_stand_apart(real: ValidationReport, quick: ValidationReport) -> None:
    value = next(row for row in real.rows if row.name == "smoothblend").real["image_auroc"]
    table = Parsed(written(real)).table("Standard error")
    assert table.row("smoothblend") == [
        "smoothblend",
        f"±{value.of_images:.3f}",
        f"±{value.of_seeds:.3f}",
    ]
    assert {row[-1] for row in Parsed(written(quick)).table("Standard error").rows[1:]} == {"–"}


def test_gains_say_claim_difference_and_what_could_be_seen(real: ValidationReport, whole: Parsed) -> None:
    rows = whole.table("Each recipe against").rows[1:]
    assert rows.pop(0) == ["image AUROC"]
    assert rows.pop(8) == ["pixel AP"]
    for gain, row in zip(real.gains, rows, strict=True):
        name, against, claim, difference, p, detectable = row
        assert (name, against, claim) == (gain.first, gain.second, gain.claim)
        numbers = [float(each) for each in re.findall(r"[+-]?\d\.\d+", difference.replace("−", "-"))]
        assert numbers == pytest.approx([gain.difference, gain.low, gain.high], abs=6e-4)
        assert p == ("< 0.001" if gain.p < 0.001 else "0.387")
        assert detectable == "0.031"


def test_each_pair_is_seen_from_the_side_of_its_row(real: ValidationReport) -> None:
    turned = [
        each.model_copy(
            update={
                "first": each.second,
                "second": each.first,
                "difference": -each.difference,
                "claim": {"worse": "better", "better": "worse"}.get(each.claim, each.claim),
            }
        )
        for each in real.pairs
    ]
    for report in (real, real.model_copy(update={"pairs": turned})):
        parsed = Parsed(written(report))
        rows = parsed.table("What the recipe of the row is, compared with that of the column: image").rows
        assert rows[0] == ["row against column", *examples.RECIPES[:-1]]
        assert rows[1] == ["cutpaste", "alike; −0.003", *[""] * 6]
        assert rows[3][:4] == ["cutpaste-scar_narrow", "worse; −0.051", "worse; −0.034", "not shown; −0.017"]
        assert "nsa is better than sdas-local-strength-040, perlin-self-shuffle" in parsed.text
        assert "Cannot be told apart: perlin-texture from cutpaste." in parsed.texts
        assert "Not shown either way: cutpaste against nsa; nsa against cutpaste-scar_narrow;" in parsed.text
        rows = parsed.table("What the recipe of the row is, compared with that of the column: pixel").rows
        assert rows == [["row against column", "perlin-texture"], ["cutpaste", "better; +0.062"]]
        assert "cutpaste is better than perlin-texture." in parsed.texts


def test_what_two_learners_show_stands_apart(real: ValidationReport, quick: ValidationReport) -> None:
    pair = next(each for each in real.pairs if each.claim == "indistinguishable")
    other = pair.model_copy(update={"learner": "realnet", "claim": "not shown"})
    parsed = Parsed(written(quick.model_copy(update={"pairs": [pair, other]})))
    opening = "Image AUROC, learned by segmenter:"
    assert parsed.texts[parsed.texts.index(opening) + 1].startswith("Cannot be told apart: ")
    opening = "Image AUROC, learned by realnet:"
    assert parsed.texts[parsed.texts.index(opening) + 1].startswith("Not shown either way: ")


def test_defects_transfer_detectability_sets_and_predictions_are_whole(
    real: ValidationReport, whole: Parsed
) -> None:
    row = next(row for row in real.rows if row.name == "nsa")
    assert whole.table("Image AUROC by defect type").row("nsa")[1:] == [
        shown(row.defect_types[each]) for each in examples.TYPES
    ]
    assert whole.table("Image AUROC by defect size").rows[0] == ["name", "small", "middle", "large"]
    assert real.transfer
    for measure, values in (("image AUROC", real.transfer.image_auroc), ("pixel AP", real.transfer.pixel_ap)):
        rows = whole.table(f"Transfer, {measure}").rows
        assert rows[0] == ["learned from", *examples.RECIPES]
        assert [row[1:] for row in rows[2:]] == [[f"{each:.2f}" for each in line] for line in values]
    found = whole.table("What detectors find").rows[1:]
    assert found[0][-1] == "everything is found"
    assert [row[:3] for row in found] == [
        [f"{each.recipe}; {each.detector}", shown(each.image_auroc), f"{each.recall:.2f}"]
        for each in real.detectability
    ]
    bins = whole.table("The plots").rows[1:]
    assert len(bins) == 8 * 2 * 3
    assert bins[1] == [
        "perlin-texture; patchcore",
        "area, %",
        "0.93; 0.2–0.8, 48",
        "1.00; 0.8–2.1, 48",
        "1.00; 2.1–5, 48",
        "1.00; 5–13, 48",
    ]
    assert whole.table("What the samples").row("nsa") == [
        *("nsa", "512", "1,500", "0.8 %", "1.07", "2.78", "70 %"),
        "14 %; nsa 28 %, scar 0 %",
    ]
    choices = whole.table("Choosing").rows[1:]
    assert choices[0] == ["transfer", "0.43 (−0.07 to 0.79)", "perlin-texture", "perlin-texture", "0.000"]
    assert choices[1] == ["detectability", "–; fewer than 6 recipes", "nsa", "perlin-texture", "0.034"]


def test_colours_follow_the_numbers_and_the_diagonal_is_framed(real: ValidationReport) -> None:
    text = written(real)
    matrix = text[text.index("<caption>Transfer, image AUROC") : text.index("<caption>Transfer, pixel AP")]
    cells = re.findall(r'<td class="heat( framed)?" style="--heat: ([\d.]+)">([\d.]+)</td>', matrix)
    assert len(cells) == 64
    assert [bool(framed) for framed, _, _ in cells] == [place % 9 == 0 for place in range(64)]
    for _, heat, auroc in cells:
        assert float(heat) == pytest.approx(max(0, 2 * float(auroc) - 1), abs=0.016)


def test_protocol_settings_versions_and_costs_are_told(real: ValidationReport, whole: Parsed) -> None:
    for text in (*real.protocol, *real.notes, *real.settings, *real.settings.values(), real.hardware):
        assert text in whole.texts
    for text in (*real.versions.values(), "1 h 30 min", "2.3 GiB at most in one process"):
        assert text in whole.texts


def test_without_real_defects_transfer_ranks_and_nothing_real_is_claimed(unseen: ValidationReport) -> None:
    parsed = Parsed(written(unseen))
    titles = [title for _, title in parsed.headings]
    assert not {title for title in titles if "eal defects" in title or title.startswith("Gain")}
    rows = parsed.table("Results").rows
    assert rows[0] == ["name and learner", "transfer", "time"]
    ranked = [float(row[1][:4]) for row in rows[2:10]]
    assert ranked == sorted(ranked, reverse=True)
    assert "no real defects" in parsed.text
    assert "Better and worse: chance alone" in parsed.text


def test_a_quick_report_has_no_empty_sections(quick: ValidationReport) -> None:
    parsed = Parsed(written(quick))
    assert [title for _, title in parsed.headings[1:]] == [
        "Recommendation",
        "Warning: what was compared has faults",
        "Results",
        "Where the uncertainty comes from",
        "Time, memory, hardware and versions",
    ]
    for fault in quick.faults:
        assert f"{fault.subject}: {fault.fault}" in parsed.texts
        assert fault.sentence in parsed.texts
    assert "1.6 min" not in parsed.text and "2 min" in parsed.texts


def test_names_with_markup_stay_text(real: ValidationReport) -> None:
    dumped = real.model_dump_json().replace("perlin-texture", MARKUP.replace('"', '\\"'))
    hostile = ValidationReport.model_validate_json(dumped).model_copy(
        update={"product": f'"><img src=x onerror={MARKUP}', "pictures": [], "hardware": MARKUP}
    )
    text = page.html(hostile, {}).decode()
    parsed = Parsed(text)
    assert not parsed.of("script")
    assert not parsed.of("img")
    assert parsed.headings[0][1] == f"Validation of recipes: {hostile.product}"
    assert parsed.table("Results").row(MARKUP)
    assert parsed.texts.count(MARKUP) > 10
    assert any(MARKUP.startswith(each.partition("…")[0]) for each in parsed.texts if "…" in each)


def test_pictures_stand_in_the_page_with_their_captions(real: ValidationReport) -> None:
    webp = b"RIFF\x1a\0\0\0WEBPVP8L"
    pictures = {**examples.pictures(), "real.jpg": webp}
    parsed = Parsed(page.html(real, pictures).decode())
    kinds = {"perlin-texture.png": "png", "real.jpg": "webp"}
    for picture, image in zip(real.pictures, parsed.of("img"), strict=True):
        head, _, data = str(image["src"]).partition(",")
        assert head == f"data:image/{kinds[picture.file]};base64"
        assert b64decode(data) == pictures[picture.file]
        assert image["alt"] == picture.alternative
        assert picture.caption in parsed.texts
    assert "data:image/jpeg;base64,/9j/" in written(real)


@pytest.mark.parametrize(
    ("data", "said"),
    [({}, "is missing"), ({"perlin-texture.png": b"GIF89a"}, "is no PNG, JPEG or WebP")],
    ids=["missing", "another format"],
)
def test_a_picture_that_cannot_be_shown_is_an_error(
    real: ValidationReport, data: dict[str, bytes], said: str
) -> None:
    with pytest.raises(ValueError, match=rf"perlin-texture\.png of the report {said}"):
        page.html(real, data)


def test_the_page_costs_nothing_until_it_is_written() -> None:
    code = (
        "import sys, synthgen.validation.page as page; "
        "print([each for each in ('jinja2', 'matplotlib', 'scipy', 'torch') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

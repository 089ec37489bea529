"""The answer in words: true to the claims, and never surer than they are."""

from synthgen.validation.recommendation import not_abnormal, not_tested, recommendation
from synthgen.validation.report import Abnormal, Claim, Comparison, Outcome, Role, Row, SetFacts, Value


def value(number: float) -> Value:
    return Value(value=number, low=number - 0.02, high=number + 0.02, of_images=0.01, of_seeds=0.01)


def row(
    name: str, auroc: float, pixel: float = 0.5, role: Role = "recipe", learner: str = "segmenter"
) -> Row:
    real: dict[Outcome, Value] = {"image_auroc": value(auroc), "pixel_ap": value(pixel)}
    return Row(name=name, role=role, learner=learner, seeds=3, real=real, transfer=value(auroc), seconds=1)


def pair(
    first: str, second: str, difference: float, claim: Claim, outcome: Outcome = "image_auroc"
) -> Comparison:
    return Comparison(
        first=first,
        second=second,
        learner="segmenter",
        outcome=outcome,
        difference=difference,
        low=difference - 0.006,
        high=difference + 0.006,
        p=0.01,
        claim=claim,
        detectable=0.08,
    )


REFERENCE = row("PaDiM", 0.8, 0.4, "reference", "padim")
ROWS = [row("nsa", 0.95), row("scar", 0.80), row("perlin", 0.951), REFERENCE]
PAIRS = [
    pair("nsa", "scar", 0.15, "better"),
    pair("nsa", "perlin", -0.001, "indistinguishable"),
    pair("scar", "perlin", -0.151, "worse"),
]


def gain(claim: Claim) -> list[Comparison]:
    return [pair("nsa", "PaDiM", 0.15, claim), pair("perlin", "PaDiM", 0.151, claim)]


def facts(recipe: str, look_normal: float, by_kind: dict[str, float] | None = None) -> SetFacts:
    return SetFacts(
        recipe=recipe,
        samples=100,
        rejected=0,
        near_duplicates=0.0,
        diversity=1.0,
        distance_from_normal=2.0,
        abnormal=Abnormal(share=0.5, look_normal=look_normal, by_kind=by_kind or {}),
    )


def test_defects_that_look_like_good_products_are_told_with_the_method_that_makes_most_of_them() -> None:
    sets = [facts("scar", 0.02), facts("mixed", 0.31, {"scar": 0.1, "nsa": 0.8}), facts("nsa", 0.8)]
    [sentence] = not_abnormal(sets, None)
    assert sentence.endswith("doubtful: nsa 80%; mixed 31% (most of all its nsa: 80%).")
    [sentence] = not_abnormal(sets, Abnormal(share=0.9, look_normal=0.07))
    assert sentence.endswith("its nsa: 80%) (of the real defects: 7%).")
    assert not_abnormal(sets[:1], None) == []


def test_two_that_cannot_be_told_apart_are_both_named_first() -> None:
    found = recommendation("bottle", ROWS, PAIRS, gain("better"))
    assert found[0].startswith(
        "For bottle train on perlin or nsa: they cannot be told apart (difference 0.001"
    )
    assert "interval −0.005 to 0.007" in found[0]
    assert found[1] == "Worse than perlin: scar by 0.151 (interval 0.145 to 0.157)."
    assert found[2].startswith("Better than PaDiM, which needs no synthesized images (0.800")
    assert "perlin and nsa (perlin by 0.151" in found[2]


def test_one_that_is_better_than_all_others_is_named_alone() -> None:
    rows = [row("nsa", 0.95), row("scar", 0.8)]
    [lead] = recommendation("bottle", rows, [pair("scar", "nsa", -0.15, "worse")], [])
    assert lead.startswith("For bottle train on nsa: it is better than every other recipe")
    assert "next scar, 0.150 (interval 0.144 to 0.156)" in lead


def test_what_is_not_shown_is_not_claimed() -> None:
    rows = [row("nsa", 0.95), row("scar", 0.9)]
    found = recommendation("bottle", rows, [pair("nsa", "scar", 0.05, "not shown")], [])
    assert found[0].startswith("No recipe is shown to be better than another on bottle; nsa is ahead")
    assert found[1].startswith("nsa is ahead of scar, but is not shown to be better")


def test_an_outcome_that_shows_nothing_gives_way_to_one_that_does() -> None:
    rows = [row("nsa", 1.0, 0.85), row("scar", 1.0, 0.7)]
    pairs = [
        pair("nsa", "scar", 0.0, "indistinguishable"),
        pair("nsa", "scar", 0.15, "better", "pixel_ap"),
    ]
    found = recommendation("bottle", rows, pairs, [])
    assert found[0].startswith(
        "For bottle train on nsa: it is better than every other recipe (pixel AP 0.850"
    )
    assert found[1].startswith("By image AUROC no recipe is shown to be better than another on bottle")


def test_those_that_the_first_outcome_does_not_tell_apart_are_told_by_the_next() -> None:
    rows = [row("nsa", 1.0, 0.85), row("mixed", 1.0, 0.7), row("scar", 0.6, 0.1)]
    pairs = [
        pair("nsa", "mixed", 0.0, "indistinguishable"),
        pair("nsa", "scar", 0.4, "better"),
        pair("mixed", "scar", 0.4, "better"),
        pair("nsa", "mixed", 0.15, "better", "pixel_ap"),
        pair("nsa", "scar", 0.75, "better", "pixel_ap"),
        pair("mixed", "scar", 0.6, "better", "pixel_ap"),
    ]
    found = recommendation("bottle", rows, pairs, [])
    assert found[-1].startswith("By pixel AP nsa is the best of them (0.850")
    assert found[-1].endswith("and better than mixed, by 0.150 (interval 0.144 to 0.156).")


def test_a_reference_that_no_recipe_beats_is_named() -> None:
    found = recommendation("bottle", ROWS, PAIRS, gain("not shown"))
    assert found[-1].startswith(
        "No recipe is shown to be better than PaDiM, which needs no synthesized images"
    )


def test_what_would_have_to_be_collected_is_said() -> None:
    without = not_tested(ROWS, PAIRS, (0, 0), 3)
    assert without[0].startswith("No real defect was looked at")
    assert "Collect about 40 real defects" in without[0]
    few = not_tested(ROWS, PAIRS, (20, 63), 3)
    assert few[0].startswith("With 20 good and 63 defective test images, differences below about 0.08")
    assert "to show 0.02 would take about 320 and 1010, or more seeds" in few[0]
    once = not_tested(ROWS, PAIRS, (20, 63), 1)
    assert any("was fitted once" in sentence for sentence in once)

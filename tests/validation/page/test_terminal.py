"""What the terminal prints is short, and says the same."""

from synthgen.validation import page
from synthgen.validation.report import ValidationReport


def test_the_recommendation_then_the_faults_then_the_rows(quick: ValidationReport) -> None:
    assert page.summary(quick) == (
        "Nothing can be recommended yet: one seed and 12 defective products are too few.\n"
        "\n"
        "Warning: perlin-texture: In 14 of 64 samples, 0.3 % of the pixels outside the\n"
        "mask changed, by 7 grey levels on average: the masks do not tell the truth.\n"
        "\n"
        "Warning: real test images: 3 of the 20 test images are also among the normal\n"
        "images: they look too easy.\n"
        "\n"
        "name            learner    image AUROC\n"
        "cutpaste        segmenter  0.98 (0.96–1.00)\n"
        "perlin-texture  segmenter  0.95 (0.92–0.97)\n"
        "cutpaste        realnet    0.96 (0.94–0.99)\n"
        "perlin-texture  realnet    0.93 (0.90–0.96)"
    )


def test_references_and_control_are_called_so_and_transfer_stands_last(real: ValidationReport) -> None:
    lines = page.summary(real).splitlines()
    (head,) = [line for line in lines if line.startswith("name ")]
    assert head.split() == ["name", "learner", "image", "AUROC", "transfer"]
    assert [line.split("  ")[0] for line in lines[-5:]] == [
        "patchcore (reference)",
        "padim (reference)",
        "feature noise (reference)",
        "feature distance (reference)",
        "nothing pasted (control)",
    ]
    assert lines[-1].endswith("0.54 (0.41–0.66)  –")
    assert " ".join(lines[:3]) == real.recommendation[0]


def test_without_real_defects_transfer_stands_once(unseen: ValidationReport) -> None:
    head = next(line for line in page.summary(unseen).splitlines() if line.startswith("name "))
    assert head.split() == ["name", "learner", "transfer"]


def test_names_cannot_steer_the_terminal(quick: ValidationReport) -> None:
    rows = [quick.rows[0].model_copy(update={"name": "red\x1b[31m\r\nname"})]
    printed = page.summary(quick.model_copy(update={"rows": rows, "recommendation": ["a\x1b]0;b\x07c"]}))
    assert all(each.isprintable() or each == "\n" for each in printed)
    assert "red [31m  name  segmenter" in printed

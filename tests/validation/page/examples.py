"""Reports as a validation could have found them: with real defects, without, and a quick one with faults."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from synthgen.images import png
from synthgen.validation import page
from synthgen.validation.report import (
    Abnormal,
    Bin,
    Claim,
    Comparison,
    Detectability,
    Fault,
    Outcome,
    Picture,
    Prediction,
    Row,
    SetFacts,
    Transfer,
    ValidationReport,
    Value,
)

LEARNER = "segmenter"
RECIPES = (
    "perlin-texture",
    "cutpaste",
    "nsa",
    "cutpaste-scar_narrow",
    "sdas-local-strength-040",
    "perlin-self-shuffle",
    "smoothblend",
    "housing_v3-scratches-and-dents-from-the-texture-bank-2026",
)
REFERENCES = (("patchcore", "patchcore"), ("padim", "padim"), ("feature distance", "untrained"))
TYPES = ("scratch", "dent", "discolouration", "missing thread")
OUTCOMES: tuple[Outcome, ...] = ("image_auroc", "pixel_ap", "aupro", "aupimo", "recall")
PROPERTIES: dict[str, tuple[float, ...]] = {
    "strength": (0.2, 0.4, 0.6, 0.8, 1.0),
    "area": (0.002, 0.008, 0.021, 0.05, 0.13),
    "contrast": (4.0, 11.0, 22.0, 41.0, 96.0),
}
WIDE = 0.0221
"""Half of a difference's interval."""
VERSIONS = {"synthgen": "0.1.0", "torch": "2.11.0", "numpy": "2.3.4", "opencv": "4.12.0"}


def value(middle: float, half: float = 0.03, seeds: float | None = 0.008) -> Value:
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Value(value=middle, low=low, high=high, of_images=half / 2, of_seeds=seeds)


def row(name: str, position: int, learner: str = LEARNER, **other: object) -> Row:
    """A recipe's row; a later position is worse."""
    auroc = 0.981 - 0.0171 * position
    middles = (auroc, auroc - 0.37, auroc - 0.08, auroc - 0.29, auroc - 0.22)
    fields: dict[str, object] = {
        "name": name,
        "role": "recipe",
        "learner": learner,
        "seeds": 3,
        "real": {
            outcome: value(middle, 0.02 + 0.004 * position, 0.0041 + 0.0013 * position)
            for outcome, middle in zip(OUTCOMES, middles, strict=True)
        },
        "defect_types": {each: value(auroc - 0.043 * at, 0.05) for at, each in enumerate(TYPES)},
        "defect_sizes": {
            each: value(auroc - 0.06 + 0.04 * at) for at, each in enumerate(("small", "middle", "large"))
        },
        "transfer": value(0.93 - 0.021 * ((position * 3) % 8), 0.015),
        "seconds": 74.2 + 3 * position,
    }
    return Row.model_validate({**fields, **other})


def with_real_defects() -> ValidationReport:
    """Eight recipes on screws: not in order, and everything there is to say."""
    recipes = [row(name, position) for position, name in enumerate(RECIPES)]
    references = [
        row(name, 3 + 2 * position, learner, role="reference", seconds=21.0)
        for position, (name, learner) in enumerate(REFERENCES)
    ]
    noise = row("feature noise", 5, role="reference")
    control = row("nothing pasted", 26, role="control", transfer=None)
    return ValidationReport(
        product="M6 screws, line 2",
        recommendation=[
            "Train on perlin-texture: with it the segmenter finds real defects better (image AUROC 0.98) "
            "than the best detector that learns from good products alone (patchcore, 0.93).",
            "cutpaste cannot be told apart from it, and takes less time.",
            "More test images would settle the order of the next three; more seeds would not.",
        ],
        not_tested=[
            "Defect types that are not among the test images; collect 20 pictures of each that matters.",
            "Another camera, light or batch: all pictures are of one day.",
        ],
        budget="standard",
        seeds=3,
        learner=LEARNER,
        false_alarms=0.0125,
        normals=237,
        held_out=79,
        real_normal=41,
        real_anomalous=119,
        rows=[control, *reversed(references), noise, *recipes[4:], *recipes[:4]],
        gains=[
            *map(_gain, recipes),
            *(_comparison(each, "padim", 0.05, "better", "pixel_ap") for each in RECIPES),
        ],
        pairs=[*_pairs(recipes), _comparison("cutpaste", "perlin-texture", 0.0624, "better", "pixel_ap")],
        transfer=_transfer(RECIPES),
        detectability=[
            _detectability(recipe, detector, position + 2 * at)
            for position, recipe in enumerate(RECIPES)
            for at, detector in enumerate(("patchcore", "padim"))
        ],
        sets=[_facts(recipe, position) for position, recipe in enumerate(RECIPES)],
        predictions=[
            Prediction(
                by="transfer",
                kendall=Value(value=0.43, low=-0.07, high=0.79, of_images=0.2, of_seeds=0.1),
                chosen="perlin-texture",
                best="perlin-texture",
                regret=0.0,
            ),
            Prediction(by="detectability", kendall=None, chosen="nsa", best="perlin-texture", regret=0.0342),
        ],
        notes=["Two test images have the same pixels; one was left out."],
        protocol=[
            "The normal images are split by picture: 75% are learned from, 25% are held out.",
            "The real test images are looked at once, at the end: nothing is chosen by them.",
            "Intervals are of 95 %: 2,000 bootstrap resamples of the test images, and on top the spread of "
            "the seeds by Student's t.",
        ],
        pictures=[
            Picture(
                file="perlin-texture.png",
                caption="Samples of perlin-texture, weak to strong",
                alternative="Twelve metal surfaces with pasted textures, outlined, in two rows",
            ),
            Picture(
                file="real.jpg",
                caption="Real defects that most recipes miss",
                alternative="Twelve metal surfaces with faint scratches",
            ),
        ],
        settings={
            "backbone": "resnet18",
            "weights": "imagenet, sha256 5c106cde386e87d4033832f2996f5493238eda96ccf559d1d62760c4de0613f8",
            "image size": "256 x 256",
            "samples": "512",
            "updates": "300",
        },
        versions=VERSIONS,
        hardware="AMD EPYC 7B13, 2 cores; no GPU",
        seconds=5423.0,
        memory=int(2.34 * 2**30),
    )


def without_real_defects() -> ValidationReport:
    """The same recipes, of which nobody has seen a real defect."""
    found = with_real_defects()
    without: dict[str, object] = {"real": {}, "defect_types": {}, "defect_sizes": {}}
    rows = [each.model_copy(update=without) for each in found.rows]
    update = {
        "rows": rows,
        "gains": [],
        "pairs": [each.model_copy(update={"outcome": "transfer"}) for each in found.pairs[:-1]],
        "predictions": [],
        "real_normal": 0,
        "real_anomalous": 0,
        "pictures": found.pictures[:1],
        "recommendation": ["Begin with perlin-texture: what it teaches transfers best to other recipes."],
        "not_tested": ["Whether any of this finds real defects: collect 20 defective products."],
    }
    return found.model_copy(update=update)


def quick() -> ValidationReport:
    """Two recipes and one seed, by two learners, with faults and nothing that could be left out."""
    rows = [
        row(name, 2 * at + other, learner, seeds=1, defect_types={}, defect_sizes={}, transfer=None)
        for at, name in enumerate(("cutpaste", "perlin-texture"))
        for other, learner in enumerate((LEARNER, "realnet"))
    ]
    one_seed = [
        each.model_copy(
            update={"real": {"image_auroc": each.real["image_auroc"].model_copy(update={"of_seeds": None})}}
        )
        for each in rows
    ]
    return ValidationReport(
        product="caps",
        recommendation=["Nothing can be recommended yet: one seed and 12 defective products are too few."],
        not_tested=[],
        budget="quick",
        seeds=1,
        learner=LEARNER,
        false_alarms=0.125,
        normals=24,
        held_out=8,
        real_normal=8,
        real_anomalous=12,
        rows=one_seed,
        faults=[
            Fault(
                subject="perlin-texture",
                fault="changed outside of the mask",
                sentence="In 14 of 64 samples, 0.3 % of the pixels outside the mask changed, by 7 grey "
                "levels on average: the masks do not tell the truth.",
            ),
            Fault(
                subject="real test images",
                fault="same pixels",
                sentence="3 of the 20 test images are also among the normal images: they look too easy.",
            ),
        ],
        protocol=[],
        settings={},
        versions=VERSIONS,
        hardware="2 cores",
        seconds=96.4,
        memory=700 * 2**20,
    )


def written(report: ValidationReport) -> str:
    """The page of a report with these pictures; of equal reports it is written once."""
    return _written(report.model_dump_json())


@cache
def _written(report: str) -> str:
    return page.html(ValidationReport.model_validate_json(report), pictures()).decode()


def pictures() -> dict[str, bytes]:
    """The files of the reports' pictures: made sheets, PNG and JPEG."""
    return {"perlin-texture.png": png.encode(_sheet(1)), "real.jpg": _jpeg(_sheet(2))}


def _jpeg(pixels: "np.typing.NDArray[np.uint8]") -> bytes:
    written, data = cv2.imencode(".jpg", pixels)
    assert written
    return data.tobytes()


def _sheet(seed: int) -> "np.typing.NDArray[np.uint8]":
    """Two rows of six grey surfaces, each with a dark spot, (264, 784, 3) uint8."""
    random = np.random.default_rng(seed)
    sheet = np.full((264, 784, 3), 250, np.uint8)
    for tile in range(12):
        surface = cv2.GaussianBlur(random.uniform(0, 255, (120, 120, 3)), (0, 0), 5) + random.uniform(-9, 9)
        spot = random.integers(30, 90, 2).tolist()
        cv2.ellipse(surface, spot, (18, 7), float(random.uniform(0, 180)), 0, 360, (60, 70, 90), -1)
        top, left = 8 + 130 * (tile // 6), 8 + 130 * (tile % 6)
        sheet[top : top + 120, left : left + 120] = surface.clip(0, 255)
    return sheet


def _gain(of: Row) -> Comparison:
    difference = of.real["image_auroc"].value - 0.9297
    claim: Claim = "better" if difference > WIDE else "worse" if difference < -WIDE else "not shown"
    return _comparison(of.name, "patchcore", difference, claim)


def _pairs(rows: Sequence[Row]) -> list[Comparison]:
    found = []
    for at, first in enumerate(rows):
        for second in rows[:at]:
            difference = first.real["image_auroc"].value - second.real["image_auroc"].value
            claim: Claim = "worse" if difference < -WIDE else "not shown"
            if {first.name, second.name} == {"perlin-texture", "cutpaste"}:
                difference, claim = -0.0031, "indistinguishable"
            found.append(_comparison(first.name, second.name, difference, claim))
    return found


def _comparison(
    first: str, second: str, difference: float, claim: Claim, outcome: Outcome = "image_auroc"
) -> Comparison:
    half = 0.0049 if claim == "indistinguishable" else WIDE
    return Comparison(
        first=first,
        second=second,
        learner=LEARNER,
        outcome=outcome,
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=0.0004 if claim in ("better", "worse") else 0.387,
        claim=claim,
        detectable=0.0312,
    )


def _transfer(names: Sequence[str]) -> Transfer:
    def auroc(row: int, column: int) -> float:
        return 0.991 if row == column else 0.96 - 0.049 * ((3 * row + 5 * column) % 8)

    grid = [[auroc(row, column) for column in range(len(names))] for row in range(len(names))]
    return Transfer(
        learned=list(names),
        judged=list(names),
        image_auroc=grid,
        pixel_ap=[[each**3 - 0.2 for each in line] for line in grid],
    )


def _detectability(recipe: str, detector: str, position: int) -> Detectability:
    by = {}
    for name, edges in PROPERTIES.items():
        recalls = [min(1.0, 0.93 - 0.06 * position + 0.11 * at) for at in range(4)]
        by[name] = [
            Bin(low=low, high=high, samples=48, recall=recall)
            for low, high, recall in zip(edges[:-1], edges[1:], recalls, strict=True)
        ]
    auroc = 0.99 - 0.03 * position
    return Detectability.model_validate(
        {
            "recipe": recipe,
            "detector": detector,
            "image_auroc": value(auroc),
            "recall": auroc - 0.1,
            "by": by,
            "saturation": "" if position else "everything is found",
        }
    )


def _facts(recipe: str, position: int) -> SetFacts:
    return SetFacts(
        recipe=recipe,
        samples=512,
        rejected=1500 if position == 2 else 4 * position,
        near_duplicates=0.004 * position,
        diversity=1.21 - 0.07 * position,
        distance_from_normal=3.4 - 0.31 * position,
        abnormal=Abnormal(
            share=0.9 - 0.1 * position,
            look_normal=0.07 * position,
            by_kind={"nsa": 0.14 * position, "scar": 0.0} if recipe == "nsa" else {},
        ),
    )

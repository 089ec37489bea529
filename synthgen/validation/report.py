"""What a validation found: the numbers behind every table, sentence and plot of its page."""

from typing import Literal

from pydantic import Field

from synthgen.config.model import FrozenModel

REPORT_VERSION = 2

Outcome = Literal["image_auroc", "pixel_ap", "aupro", "aupimo", "recall"]
"""What is measured on the real test images; ``recall`` is at the false-alarm rate that the held-out normal
images support."""
OUTCOMES: dict[Outcome, str] = {
    "image_auroc": "image AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO 0.3",
    "aupimo": "AUPIMO",
    "recall": "recall",
}
"""The outcomes, the primary one first, and what readers call them."""

Role = Literal["recipe", "reference", "control"]
Claim = Literal["better", "worse", "indistinguishable", "not shown"]


class Value(FrozenModel):
    """A mean over the seeds with its 95 % interval, and its two sources of error apart."""

    value: float
    low: float
    high: float
    of_images: float
    """Standard error from the test images, which another sample of products would have changed."""
    of_seeds: float | None
    """Standard deviation over the seeds, n - 1; None for one seed."""


class Row(FrozenModel):
    """One way to fit a detector: a recipe and what learns from it, or a reference."""

    name: str
    """The recipe's name, or what a reference is."""
    role: Role
    learner: str
    """The detector that was fitted, such as ``segmenter`` or ``patchcore``."""
    seeds: int
    real: dict[Outcome, Value] = Field({})
    """On the real test images; empty without them. Pixel outcomes are absent without masks."""
    defect_types: dict[str, Value] = Field({})
    """Image AUROC of each real defect type."""
    defect_sizes: dict[str, Value] = Field({})
    """Image AUROC of small, middle and large real defects, thirds by the area of their masks."""
    transfer: Value | None = None
    """Mean image AUROC over what the other recipes made of held-out normal images; None for the control."""
    seconds: float
    """To fit and score, mean over the seeds."""


class Comparison(FrozenModel):
    """A difference between two rows on the same images and seeds: ``first`` less ``second``."""

    first: str
    second: str
    learner: str
    outcome: Outcome | Literal["transfer"]
    difference: float
    low: float
    high: float
    p: float
    """Two-sided, adjusted by Holm over all comparisons of its table."""
    claim: Claim
    detectable: float
    """The least difference that a test of this size would show in 80 of 100 cases."""


class Transfer(FrozenModel):
    """Learned from the recipe of the row, judged on what the recipe of the column made of held-out images."""

    learned: list[str]
    judged: list[str]
    image_auroc: list[list[float]]
    """Means over the seeds, rows by columns."""
    pixel_ap: list[list[float]]


class Bin(FrozenModel):
    """Some samples of a recipe by what they are like."""

    low: float
    high: float
    samples: int
    recall: float
    """Share of them that is found."""


class Detectability(FrozenModel):
    """What a detector that was fitted on normal images alone finds of a recipe's defects."""

    recipe: str
    detector: str
    image_auroc: Value
    recall: float
    """At the false-alarm rate of the report."""
    by: dict[Literal["strength", "area", "contrast"], list[Bin]]
    saturation: Literal["", "everything is found", "nothing is found"] = ""


class Abnormal(FrozenModel):
    """How much of some defects lies beyond what good products look like."""

    share: float
    """Mean share of the masks beyond normal variation, 0 to 1."""
    look_normal: float
    """Share of the defects that look like good products."""
    by_kind: dict[str, float] = Field({})
    """The same by synthesizer, or by real defect type; empty where there is only one."""


class SetFacts(FrozenModel):
    """What a recipe's samples are like."""

    recipe: str
    samples: int
    rejected: int
    """Samples in which no defect could be made that can be seen."""
    near_duplicates: float
    """Share of the samples with another that looks the same in the masks' features, 0 to 1."""
    diversity: float
    """Mean distance between the defects' features, relative to that between places of normal images."""
    distance_from_normal: float
    """Mean distance of the defects' features from the nearest normal ones, relative to that of held-out
    normal images: about 1 looks normal."""
    abnormal: Abnormal


class Fault(FrozenModel):
    """Something wrong with what was compared."""

    subject: str
    """The names of recipes, ``every recipe``, or ``real test images``."""
    fault: str
    """Its name, such as ``changed outside of the mask``."""
    sentence: str
    """What was found, in words with numbers, and what it means."""


class Prediction(FrozenModel):
    """How well something that needs no real defects predicts which recipe is best on the real ones."""

    by: str
    """What chooses, and the outcome on real images that it is compared with."""
    kendall: Value | None
    """None for fewer than 6 recipes."""
    chosen: str
    """The recipe that it would choose."""
    best: str
    """The recipe that is best on the real test images."""
    regret: float
    """How much worse the chosen one is there, in the outcome that ``by`` names."""


class Picture(FrozenModel):
    """A picture of the report."""

    file: str
    """Its name in the folder ``pictures``."""
    caption: str
    alternative: str
    """What it shows, for who cannot see it."""


class ValidationReport(FrozenModel):
    """A validation of recipes on one product."""

    report_version: int = REPORT_VERSION
    product: str
    recommendation: list[str]
    """The answer in words, the most important sentence first."""
    not_tested: list[str]
    """What the numbers do not say, and what would have to be collected to decide; a sentence each."""
    budget: str
    seeds: int
    learner: str
    """The detector whose numbers the recommendation rests on."""
    false_alarms: float
    """The rate at which recall is measured: what the held-out normal images support."""
    normals: int
    """Normal images that were learned from."""
    held_out: int
    """Normal images that were held out."""
    real_normal: int = 0
    real_anomalous: int = 0
    rows: list[Row]
    gains: list[Comparison] = Field([])
    """Each recipe against the better reference without synthesized images, by outcome."""
    pairs: list[Comparison] = Field([])
    """Each two recipes, by outcome and learner."""
    transfer: Transfer | None = None
    detectability: list[Detectability] = Field([])
    sets: list[SetFacts] = Field([])
    real_abnormal: Abnormal | None = None
    """The real defects; None without their masks."""
    predictions: list[Prediction] = Field([])
    faults: list[Fault] = Field([])
    notes: list[str] = Field([])
    protocol: list[str]
    """How it was measured, a sentence each."""
    pictures: list[Picture] = Field([])
    settings: dict[str, str]
    """Backbone, weights, image size, samples, updates, recipes' files and the like, as text."""
    versions: dict[str, str]
    hardware: str
    seconds: float
    memory: int
    """Most bytes that one process held."""

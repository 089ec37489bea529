"""Whether one stored sample is what its facts say, and what its plan allows."""

import json
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from pydantic import ValidationError

from synthgen.config.validation import all_faults, first_fault
from synthgen.images import png
from synthgen.images.decode import UnusableImage, decode
from synthgen.images.pixels import Pixels, is_grey
from synthgen.plan.plan import Plan
from synthgen.plan.record import Record
from synthgen.recipe.judge import AbnormalRule, JudgeRules
from synthgen.sample import FORMAT_VERSION, AbnormalityFacts, Facts
from synthgen.shards.reader import RawSample

NormalOf = Callable[[Facts], Pixels | None]
"""Renders the paired normal image (H, W, C) uint8 of a sample, or gives None where it cannot be had."""

GREY, COLOUR = 0, 2
"""Colour types in a PNG's header (PNG 1.2, section 4.1.1)."""
SIGNATURES = {"png": png.SIGNATURE, "jpg": b"\xff\xd8\xff", "webp": b"RIFF"}
LOSSLESS = ("png", "webp")
ROUNDING = 1.5e-4
"""Contrasts are stored with four decimals."""

_FLOATS = frozenset(name for name, field in Facts.model_fields.items() if field.annotation is float)


class Finding(NamedTuple):
    """Something that is not as it should be."""

    what: str
    found: object
    expected: object


class SampleChecks:
    """Checks the samples of one plan; counts in ``unchecked`` what could not be checked, and why."""

    def __init__(self, plan: Plan, normal_of: NormalOf | None) -> None:
        self.unchecked: Counter[str] = Counter()
        self._plan = plan
        self._normal_of = normal_of
        self._format = plan.recipe.output.image_format

    def check(self, sample: RawSample, index: int) -> tuple[Facts | None, list[Finding]]:
        """The sample's facts, if they can be read, and all that is wrong with it. All members are there."""
        findings: list[Finding] = []
        facts = _read_facts(sample.members["json"], findings)
        if facts:
            self._check_identity(facts, sample, index, findings)
            _check_consistency(facts, self._plan.recipe.judge, findings)
            mask = _read_mask(sample.members["mask.png"], facts, findings)
            image = _read_image(sample.members[self._format], self._format, facts, findings)
            normal = self._normal(facts, sample, findings)
            if mask is not None and image is not None and normal is not None:
                _check_change(facts, mask, image, normal, findings)
        return facts, findings

    def _check_identity(self, facts: Facts, sample: RawSample, index: int, findings: list[Finding]) -> None:
        """What the plan and the sample's place decide."""
        preparation = self._plan.preparation
        expected = {
            "format_version": FORMAT_VERSION,
            "fingerprint": self._plan.fingerprint,
            "seed": self._plan.recipe.seed,
            "index": index,
            "key": sample.key,
            "height": preparation.size[0],
            "width": preparation.size[1],
            "channels": preparation.channels,
        }
        for field, value in expected.items():
            _compare(f"facts.{field}", getattr(facts, field), value, findings)
        _compare("facts.tile is given", facts.tile is not None, preparation.resize == "tile", findings)
        _compare("cls", sample.members["cls"], b"%d" % facts.label, findings)

    def _normal(self, facts: Facts, sample: RawSample, findings: list[Finding]) -> Pixels | None:
        """The image that a lossless sample must equal outside of its mask, stored or rendered."""
        normal, reason = None, ""
        stored = sample.members.get("normal.png")
        if stored is not None:
            normal = _read_image(stored, "normal.png", facts, findings)
        if not facts.paired:
            reason = "there is no paired normal image"
        elif self._format not in LOSSLESS:
            reason = f"{self._format} is lossy"
        elif stored is None:
            normal = self._normal_of(facts) if self._normal_of else None
            reason = "" if normal is not None else "the normal image is not at hand"
        if reason:
            self.unchecked[f"change against the normal image: {reason}"] += 1
        return None if reason else normal


def _read_facts(text: bytes, findings: list[Finding]) -> Facts | None:
    """Facts of the exact schema: every field, no other, no null, each of its own JSON type."""
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
        facts = Facts.model_validate_json(text, strict=True)
    except ValidationError as error:
        findings.extend(
            Finding(f"json field {fault.field}", _short(fault.found), fault.message)
            for fault in all_faults(error)
        )
        return None
    except ValueError as error:
        findings.append(Finding("json", f"{_short(text)} ({error})", "one JSON object"))
        return None
    for name in sorted(_FLOATS):
        if isinstance(values[name], int):
            findings.append(Finding(f"json field {name}", values[name], "a number with a decimal point"))
    try:
        Record.model_validate_json(facts.params)
    except ValidationError as error:
        findings.append(
            Finding("json field params", _short(first_fault(error).message), "a record to replay")
        )
    return facts


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_consistency(facts: Facts, rules: JudgeRules, findings: list[Finding]) -> None:
    """What the facts say of each other."""
    anomalous = facts.outcome == "anomalous"
    _compare("facts.label", facts.label, int(anomalous), findings)
    _compare("facts.reason is given", bool(facts.reason), facts.outcome == "rejected", findings)
    _compare("facts.method is none", facts.method == "none", facts.outcome == "normal", findings)
    _compare("facts.strength_name is none", facts.strength_name == "none", not anomalous, findings)
    if anomalous and facts.paired and facts.contrast < rules.min_contrast - ROUNDING:
        findings.append(Finding("facts.contrast", facts.contrast, f"at least {rules.min_contrast:g}"))
    _compare("facts.abnormality is given", bool(facts.abnormality), bool(rules.abnormal), findings)
    if facts.abnormality and rules.abnormal:
        _check_abnormality(facts.abnormality, rules.abnormal, facts, findings)


def _check_abnormality(
    found: AbnormalityFacts, rule: AbnormalRule, facts: Facts, findings: list[Finding]
) -> None:
    if not facts.label:
        _compare("facts.abnormality.share", found.share, 0.0, findings)
    elif rule.otherwise != "report":
        _compare("facts.abnormality.abnormal", found.abnormal, True, findings)
    if facts.label and facts.paired:
        _compare("facts.abnormality.abnormal", found.abnormal, found.share >= rule.min_share, findings)


def _read_mask(data: bytes, facts: Facts, findings: list[Finding]) -> Pixels | None:
    """The mask (H, W) uint8, if it is one; whether the facts describe it.

    Stricter than `read_mask`: shards promise one encoding, which other readers than ours rely on.
    """
    if not _is_png(data, "mask.png", GREY, findings):
        return None
    try:
        mask = np.asarray(decode(data)[..., 0], np.uint8)
    except UnusableImage as error:
        findings.append(Finding("mask.png", str(error), "grey PNG of 8 bits"))
        return None
    if mask.shape != (facts.height, facts.width):
        findings.append(Finding("height and width of mask.png", mask.shape, (facts.height, facts.width)))
        return None
    area = cv2.countNonZero(mask)
    if np.count_nonzero(mask == 255) != area:
        other = sorted({int(value) for value in mask[(mask != 0) & (mask != 255)]})
        findings.append(Finding("values in mask.png", _short(other), "only 0 and 255"))
        return None
    left, top, width, height = cv2.boundingRect(mask)
    _compare("facts.area_pixels", facts.area_pixels, area, findings)
    _compare("facts.area", facts.area, round(area / mask.size, 6), findings)
    _compare("facts.box", facts.box, [left, top, left + width, top + height], findings)
    if facts.label == 0:
        _compare("mask pixels of a normal sample", area, 0, findings)
    elif area == 0:
        findings.append(Finding("mask pixels of an anomalous sample", 0, "at least 1"))
    elif not facts.paired:
        _compare("mask pixels of a sample without a paired normal image", area, mask.size, findings)
    return mask


def _read_image(data: bytes, extension: str, facts: Facts, findings: list[Finding]) -> Pixels | None:
    """The image (H, W, C) uint8, if it is one of the facts' size and channels."""
    kind = extension.rpartition(".")[2]
    if kind == "png" and not _is_png(data, extension, GREY if facts.channels == 1 else COLOUR, findings):
        return None
    if not data.startswith(SIGNATURES[kind]):
        findings.append(Finding(extension, f"a file that starts with {data[:8]!r}", f"a {kind} image"))
        return None
    try:
        image = decode(data)
    except UnusableImage as error:
        findings.append(Finding(extension, str(error), "an image"))
        return None
    if kind == "webp" and facts.channels == 1 and is_grey(image):
        image = image[..., :1]  # WebP has no grey
    shape = (facts.height, facts.width, facts.channels)
    if image.shape != shape:
        findings.append(Finding(f"height, width and channels of {extension}", image.shape, shape))
        return None
    return np.ascontiguousarray(image, np.uint8)


def _check_change(facts: Facts, mask: Pixels, image: Pixels, normal: Pixels, findings: list[Finding]) -> None:
    """Nothing changed outside the mask, and inside it as much as the facts say."""
    if normal.shape != image.shape:
        findings.append(Finding("shape of the normal image", normal.shape, image.shape))
        return
    change = cv2.absdiff(image, normal).reshape(image.shape)
    inside = change[mask > 0]
    outside = int(np.count_nonzero(change)) - int(np.count_nonzero(inside))
    _compare("values changed outside of the mask", outside, 0, findings)
    contrast = float(inside.max(axis=1).mean(dtype=np.float64)) if len(inside) else 0.0
    contrast_mean = float(inside.mean(dtype=np.float64)) if len(inside) else 0.0
    _compare_near("facts.contrast", facts.contrast, contrast, findings)
    _compare_near("facts.contrast_mean", facts.contrast_mean, contrast_mean, findings)


def _is_png(data: bytes, extension: str, colour_type: int, findings: list[Finding]) -> bool:
    """Whether the header is that of a PNG of 8 bits and this colour type."""
    names = {0: "grey", 2: "RGB", 3: "palette", 4: "grey + alpha", 6: "RGBA"}
    if not data.startswith(png.SIGNATURE) or len(data) < 26:
        found = f"a file that starts with {data[:8]!r}"
    elif (data[24], data[25]) != (8, colour_type):
        found = f"{names.get(data[25], data[25])} PNG of {data[24]} bits"
    else:
        return True
    findings.append(Finding(extension, found, f"{names[colour_type]} PNG of 8 bits"))
    return False


def _compare(what: str, found: object, expected: object, findings: list[Finding]) -> None:
    if found != expected:
        findings.append(Finding(what, found, expected))


def _compare_near(what: str, found: float, expected: float, findings: list[Finding]) -> None:
    if abs(found - expected) > ROUNDING:
        findings.append(Finding(what, found, round(expected, 4)))


def _short(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"

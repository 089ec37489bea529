"""What the judge asks of a defect, as a recipe says it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from synthgen.config.model import FrozenModel


def _visible(contrast: float) -> float:
    if 0 < contrast < 2:
        raise ValueError("min_contrast is 2 grey levels or more, or 0 to switch the check off")
    return contrast


class AbnormalRule(FrozenModel):
    """That a defect must be beyond what good products look like."""

    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Share of a good product's cells (8 x 8 pixels) that counts as normal variation, above 0 to below 1."""
    min_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Least share of a mask that lies in cells beyond normal variation, above 0 to 1. An image without a mask
    of its own must have more of them than good ones have."""
    otherwise: Literal["redraw", "clip", "report"] = "redraw"
    """What is done otherwise: redraw (another defect is drawn, by a method that is drawn anew), clip (before
    that, the defect is cut down to its cells beyond normal variation), or report (the facts say it)."""


class JudgeRules(FrozenModel):
    """What a defect must be, so that labelling it as one is true."""

    min_contrast: Annotated[float, Field(ge=0, le=255), AfterValidator(_visible)] = 4.0
    """Least mean change inside a mask, in grey levels, for a defect to count as visible: 2 or more, or 0 to
    switch the check off."""
    abnormal: AbnormalRule | None = None
    """Whether a defect must also be beyond the variation of good products, which 19 good images or more that
    are held out tell (source.held_out); ``{}`` takes the usual numbers. It needs the extra detectors."""

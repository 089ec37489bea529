"""The number ranges that recipes are made of, as pydantic types with clear errors."""

from typing import Annotated

from pydantic import AfterValidator, Field


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"a range is [low, high], and {bounds[0]:g} is above {bounds[1]:g}")
    return bounds


Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]

Range = Annotated[tuple[Finite, Finite], AfterValidator(_ascending)]
PositiveRange = Annotated[tuple[Positive, Positive], AfterValidator(_ascending)]
NonNegativeRange = Annotated[tuple[NonNegative, NonNegative], AfterValidator(_ascending)]
PositiveShareRange = Annotated[tuple[PositiveShare, PositiveShare], AfterValidator(_ascending)]
"""0 excluded: an opacity or an area of 0 would be no defect at all."""

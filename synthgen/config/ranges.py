"""The number ranges that recipes are made of, as pydantic types with clear errors."""

from typing import Annotated

from pydantic import AfterValidator, Field


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"a range is [low, high], and {bounds[0]:g} is above {bounds[1]:g}")
    return bounds


def _increasing(bounds: tuple[int, int]) -> tuple[int, int]:
    if bounds[0] >= bounds[1]:
        raise ValueError(f"a range is [low, high], and {bounds[0]} is not below {bounds[1]}")
    return bounds


NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]

_Intensity = Annotated[int, Field(ge=0, le=65535)]
IntensityRange = Annotated[tuple[_Intensity, _Intensity], AfterValidator(_increasing)]
"""Values of 16-bit images."""

Degrees = Annotated[float, Field(ge=-360, le=360)]

DegreesRange = Annotated[tuple[Degrees, Degrees], AfterValidator(_ascending)]
PositiveRange = Annotated[tuple[Positive, Positive], AfterValidator(_ascending)]
_Strength = Annotated[float, Field(ge=0, le=1000)]
StrengthRange = Annotated[tuple[_Strength, _Strength], AfterValidator(_ascending)]
"""Bounded, because far beyond what is of use the numbers of a sampler leave float32."""
PositiveShareRange = Annotated[tuple[PositiveShare, PositiveShare], AfterValidator(_ascending)]
"""0 excluded: an opacity or an area of 0 would be no defect at all."""

"""What pydantic refused, as one sentence."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One refused value; as text ``synthesizers.0.delta: message``."""

    field: str
    """Empty where the whole is refused."""
    message: str
    found: Any

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def all_faults(error: ValidationError) -> list[FieldFault]:
    """All that was refused, at least one."""
    return [
        FieldFault(".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, "), each["input"])
        for each in error.errors(include_url=False, include_context=False)
    ]


def first_fault(error: ValidationError) -> FieldFault:
    """What was refused first."""
    return all_faults(error)[0]

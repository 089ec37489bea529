"""What pydantic refused, as one sentence."""

import pytest
from pydantic import BaseModel, ValidationError, model_validator

from synthgen.config.validation import all_faults, first_fault


class Inner(BaseModel):
    """Something with a field."""

    sizes: list[int]


class Model(BaseModel):
    """Something with all kinds of faults."""

    inner: Inner
    name: str = ""

    @model_validator(mode="after")
    def _named(self) -> "Model":
        if self.name == "bad":
            raise ValueError("bad is no name")
        return self


def refused(text: str) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate_json(text)
    return caught.value


def test_a_fault_says_where_it_is_and_what_was_found() -> None:
    error = refused('{"inner": {"sizes": [1, "x"]}, "name": 3}')
    first = first_fault(error)
    assert (first.field, first.found) == ("inner.sizes.1", "x")
    assert str(first).startswith("inner.sizes.1: Input should be a valid integer")
    assert [fault.field for fault in all_faults(error)] == ["inner.sizes.1", "name"]


def test_a_fault_of_the_whole_has_no_field_and_no_word_of_pydantic() -> None:
    assert str(first_fault(refused('{"inner": {"sizes": []}, "name": "bad"}'))) == "bad is no name"
    assert str(first_fault(refused("{"))).startswith("Invalid JSON")

"""What of several recipes is the same is said once."""

from synthgen.validation.assemble import gathered
from synthgen.validation.report import Fault


def fault(subject: str, name: str = "same picture", sentence: str = "2 of 80.") -> Fault:
    return Fault(subject=subject, fault=name, sentence=sentence)


def test_a_fault_of_every_recipe_is_said_once() -> None:
    assert gathered([fault("a"), fault("b"), fault("c")], 3) == [fault("every recipe")]


def test_faults_that_differ_are_told_apart_and_keep_their_order() -> None:
    found = [fault("a"), fault("a", "leak"), fault("b", sentence="3 of 80."), fault("c")]
    assert gathered(found, 4) == [fault("a, c"), fault("a", "leak"), fault("b", sentence="3 of 80.")]


def test_a_fault_of_the_only_recipe_names_it() -> None:
    assert gathered([], 0) == []
    assert gathered([fault("a")], 1) == gathered([fault("a")], 2) == [fault("a")]

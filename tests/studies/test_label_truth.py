"""The label tells the truth, on real products; `python -m tests.studies.label_truth` draws more."""

from pathlib import Path

import pytest

from tests.studies.label_truth import PAIRED, PRODUCTS, check

DRAWS = 100


@pytest.mark.needs_data
@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("method", PAIRED)
def test_every_label_is_true(data: Path, product: str, method: str) -> None:
    tally = check(data, product, method, DRAWS)
    assert not tally.problems
    assert tally.outcomes["rejected"] == 0

"""A collapse is seen where all outputs are alike, after ten updates, and not at the beginning."""

import torch
from torch import Generator

from synthgen.pretraining.collapse import CollapseWatch, spread


def test_the_spread_is_one_for_all_directions_and_none_for_one() -> None:
    outputs = torch.randn(4000, 64, generator=Generator().manual_seed(0))
    assert abs(float(spread(outputs)) - 1) < 0.02
    assert float(spread(torch.ones(10, 64) * torch.arange(1, 11)[:, None])) < 1e-6
    assert float(spread(1 + 0.01 * outputs[:10])) < 0.05


def test_ten_in_a_row_are_a_collapse_after_a_fifth_of_the_updates() -> None:
    watch = CollapseWatch(100)
    assert next(number for number in range(100) if watch.is_collapsed(number, 0.1)) == 29
    watch = CollapseWatch(100)
    assert not any(watch.is_collapsed(number, 0.9 if number % 10 == 0 else 0.1) for number in range(100))

"""A product with real defects, small enough to be validated in seconds."""

from pathlib import Path

import numpy as np
import pytest

from synthgen.validation import protocol
from synthgen.validation.protocol import Budget
from tests.evaluation.sets import save

SIDE = 64
TINY = Budget(samples=12, steps=6, judged=8, seeds=2)


@pytest.fixture
def tiny_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every budget is a small one, and images are small."""
    monkeypatch.setitem(protocol.BUDGETS, "quick", TINY)
    monkeypatch.setattr("synthgen.validation.product.IMAGE_SIZE", SIDE)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 good pictures of a striped product; 6 more, and 8 with a dark spot and a mask, to test on."""
    root = tmp_path_factory.mktemp("product") / "stripes"
    generator = np.random.default_rng(0)
    stripes = (np.arange(SIDE) % 16 < 8)[:, None, None] * 60.0 + 90

    def picture() -> np.ndarray:
        noise = generator.normal(0, 4, (SIDE, SIDE, 3))
        return np.clip(stripes + noise + generator.normal(0, 3), 0, 255).astype(np.uint8)

    for number in range(16):
        save(root / "train" / "good" / f"{number:02}.png", picture())
    for number in range(6):
        save(root / "test" / "good" / f"{number:02}.png", picture())
    for number in range(8):
        defective, mask = picture(), np.zeros((SIDE, SIDE), np.uint8)
        top, left = generator.integers(4, SIDE - 20, 2)
        size = 6 + number
        defective[top : top + size, left : left + size] //= 3
        mask[top : top + size, left : left + size] = 255
        save(root / "test" / "spot" / f"{number:02}.png", defective)
        save(root / "ground_truth" / "spot" / f"{number:02}_mask.png", mask)
    return root.parent

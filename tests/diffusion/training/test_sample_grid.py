"""The pictures of how far a training has come."""

from typing import Any

import pytest
import torch

from synthgen.diffusion.training.sample_grid import sample_grid
from synthgen.diffusion.training.settings import TrainingSettings
from tests.diffusion.training.trainings import images, trainer

pytestmark = pytest.mark.usefixtures("small_presets")


@pytest.mark.parametrize(("preset", "categories"), [("tiny", 1), ("small", 3), ("tiny", 20)])
def test_the_grid_of_samples_changes_nothing(preset: str, categories: int) -> None:
    settings = TrainingSettings.model_validate({"preset": preset, "size": 16, "batch": 9})
    of = images(*[8] * categories)
    with trainer(of, settings) as plain:
        expected = [plain.update(number) for number in range(2)]
    with trainer(of, settings) as showing:
        found, grids = [], []
        for number in range(2):
            grids.append(sample_grid(showing))
            found.append(showing.update(number))
    assert found == expected
    rows, columns = {1: (4, 4), 3: (3, 5), 20: (8, 2)}[categories]
    assert grids[0].shape == (rows * 18 - 2, columns * 18 - 2, 3)
    assert not (grids[0] == grids[1]).all()  # other weights


def test_the_grid_shows_the_averaged_weights_in_rows_of_categories(monkeypatch: pytest.MonkeyPatch) -> None:
    with trainer(images(8, 8, 8), TrainingSettings(size=16, batch=4)) as showing:
        for weights in showing.average.weights.values():
            weights.fill_(0.25)
        asked: list[tuple[int, bool]] = []

        def unet(x: torch.Tensor, _: torch.Tensor, labels: torch.Tensor) -> Any:
            averaged = all(bool((weight == 0.25).all()) for weight in showing.unet.parameters())
            asked.extend((int(label), averaged) for label in labels)
            # v of an image of the category's own grey: the sampler bounds it.
            return type(
                "Output", (), {"sample": -1000.0 * labels.float().sub(1).view(-1, 1, 1, 1).expand_as(x)}
            )

        monkeypatch.setattr(showing.unet, "forward", unet)
        grid = sample_grid(showing)
    assert {averaged for _, averaged in asked} == {True}
    assert [int(grid[18 * row + 8, 8, 0]) for row in (0, 2)] == [0, 255]
    assert (grid[0:16, 0:16] == 0).all()
    assert (grid[36:52, 54:70] == 255).all()

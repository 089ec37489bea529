"""EfficientAD's networks against their published sizes, its losses and maps against their formulas."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from synthgen.detectors.efficientad import imitation
from synthgen.detectors.efficientad.imitation import Course, hard_loss, late_reduction, split
from synthgen.detectors.efficientad.maps import CellEnlarger
from synthgen.detectors.efficientad.networks import (
    Autoencoder,
    PatchDescriptionNetwork,
    dropout,
    initialise,
)
from synthgen.detectors.efficientad.published import CHANNELS, NETWORKS, Efficientad, EfficientadSettings
from synthgen.detectors.efficientad.small import EfficientadSmall, orthogonal
from synthgen.detectors.efficientad.teacher_file import read_teacher
from synthgen.errors import InputError
from tests.detectors.images import SIZE, Images, detector, no_progress, normal_images, with_a_spot
from tests.detectors.methods import message
from tests.detectors.teachers import thin_teacher, thin_teacher_file, use_thin_networks

CPU = torch.device("cpu")


def small(count: int = 12, **settings: object) -> EfficientadSmall:
    result = cast(EfficientadSmall, detector("efficientad-small", **{"steps": 3, **settings}))
    result.fit(Images(normal_images(count)), None, 0, no_progress)
    return result


@pytest.mark.parametrize(("network", "parameters"), [("small", 2_694_144), ("medium", 8_026_624)])
def test_a_description_sees_33_pixels_and_the_next_one_4_pixels_on(network: str, parameters: int) -> None:
    published = PatchDescriptionNetwork(NETWORKS[network], CHANNELS)
    initialise(published, torch.Generator().manual_seed(0))
    assert sum(tensor.numel() for tensor in published.parameters()) == parameters
    with torch.no_grad():
        assert published(torch.zeros(1, 3, 33, 33)).shape == (1, CHANNELS, 1, 1)
        assert published(torch.zeros(1, 3, 37, 36)).shape == (1, CHANNELS, 2, 1)


def test_networks_have_the_published_sizes_at_256_pixels() -> None:
    """A map of 56 cells, and an autoencoder through one pixel whose decoder goes over 3, 8, 15 …"""
    sides = [3, 8, 15, 32, 63, 127]
    network = Autoencoder(256, 56, CHANNELS)
    seen: list[tuple[int, ...]] = []
    for layer in (network.encoder[-1], *network.decoder, network.last):
        layer.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
    initialise(network, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network(torch.zeros(1, 3, 256, 256))
    assert seen == [(64, 1, 1), *((64, side + 1, side + 1) for side in sides), (CHANNELS, 56, 56)]
    widths = [layer.out_channels for layer in network.encoder if isinstance(layer, nn.Conv2d)]
    assert widths == [32, 32, 64, 64, 64, 64]
    assert (256 - 33) // 4 + 1 == 56


@pytest.mark.parametrize("side", [4, 16, 20, 52, 100])
def test_an_autoencoder_can_have_any_size(side: int) -> None:
    network = Autoencoder(side, side // 4, 5, width=4)
    initialise(network, torch.Generator().manual_seed(0))
    assert network(torch.rand(2, 3, side, side)).shape == (2, 5, side // 4, side // 4)


def test_weights_begin_as_torchs_own() -> None:
    ours = PatchDescriptionNetwork(NETWORKS["small"], CHANNELS)
    initialise(ours, torch.Generator().manual_seed(0))
    theirs = nn.Conv2d(128, 256, 4)
    for found, expected in zip(ours[3].parameters(), theirs.parameters(), strict=True):
        assert found.std().item() == pytest.approx(expected.std().item(), rel=0.15)
        assert found.abs().max().item() == pytest.approx(expected.abs().max().item(), rel=0.05)


def test_dropout_leaves_out_a_fifth_and_keeps_the_mean() -> None:
    found = dropout(torch.ones(100_000), torch.Generator().manual_seed(0))
    assert set(found.tolist()) == {0.0, 1.25}
    assert float(found.mean()) == pytest.approx(1, abs=0.01)
    assert torch.equal(dropout(torch.ones(9), None), torch.ones(9))


def test_the_hard_loss_is_the_mean_of_the_largest_differences() -> None:
    outputs, imitated = torch.rand(2, 4, 5, 5), torch.rand(2, 4, 5, 5)
    squares = (outputs - imitated).square().double().numpy().ravel()
    expected = squares[squares >= np.quantile(squares, 0.9)]
    assert len(expected) == 20
    assert float(hard_loss(outputs, imitated, 0.9)) == pytest.approx(expected.mean(), rel=1e-5)
    assert float(hard_loss(outputs, imitated, 0)) == pytest.approx(squares.mean(), rel=1e-5)


def test_the_learning_rate_is_a_tenth_in_the_last_twentieth() -> None:
    assert [late_reduction(done) for done in (0, 0.9499, 0.95, 0.999)] == [1, 1, 0.1, 0.1]


def test_a_tenth_of_the_images_is_held_out_and_never_trained_on() -> None:
    trained_on, held_out = split(209, 5)
    assert len(held_out) == 21
    assert sorted(trained_on + held_out) == list(range(209))
    assert split(209, 5) == (trained_on, held_out)
    assert split(209, 6) != (trained_on, held_out)
    assert [len(part) for part in split(2, 0)] == [1, 1]
    assert split(1, 0) == ([0], [0])


def test_the_teacher_is_normalised_over_the_images_trained_on() -> None:
    found = small()
    trained_on, _ = split(12, 0)
    images = normal_images(12)[trained_on].half().float()
    outputs = torch.cat([found._teach(image[None]) for image in images]).double()
    assert found.state["mean"].flatten().numpy() == pytest.approx(
        outputs.mean((0, 2, 3)).numpy(), rel=1e-4, abs=1e-6
    )
    deviation = outputs.std((0, 2, 3), correction=0).numpy()
    assert found.state["deviation"].flatten().numpy() == pytest.approx(deviation, rel=1e-4)


def test_held_out_images_have_their_quantiles_at_0_and_a_tenth() -> None:
    found = small(24)
    _, held_out = split(24, 0)
    images = normal_images(24).half().float()
    with torch.no_grad():
        maps = [found._imitation.scaled(images[number, None]) for number in held_out]
    for of_kind in zip(*maps, strict=True):
        values = torch.cat(of_kind).numpy()
        assert np.quantile(values, 0.9) == pytest.approx(0, abs=1e-4)
        assert np.quantile(values, 0.995) == pytest.approx(0.1, rel=1e-3)


def test_scores_are_the_largest_of_the_mean_of_both_maps() -> None:
    found = small()
    image = with_a_spot(normal_images(1, seed=9))
    with torch.no_grad():
        maps = found._imitation.scaled(image)
    expected = (maps.teacher + maps.autoencoder) / 2
    scores, _ = found.predict(image)
    assert float(scores) == pytest.approx(float(expected.max()), rel=1e-5)
    for name, cells in zip(found.companions, maps, strict=True):
        assert float(found.predict_companion(name, image)[0]) == pytest.approx(float(cells.max()), rel=1e-5)


def test_the_maps_are_mean_squares_of_the_students_two_halves() -> None:
    found = small()
    image = with_a_spot(normal_images(1, seed=9))
    learner = found._imitation
    with torch.no_grad():
        maps = learner.unscaled(image)
        student = learner._student(found._see(image))
        teacher_output = (found._teach(image) - found.state["mean"]) / found.state["deviation"]
        reconstructed = learner._autoencoder(found._see(image))
    half = student.shape[1] // 2
    assert torch.allclose(maps.teacher, (teacher_output - student[:, :half]).square().mean(1), rtol=1e-4)
    expected = (reconstructed - student[:, half:]).square().mean(1)
    assert torch.allclose(maps.autoencoder, expected, rtol=1e-4)


def course(**changes: object) -> Course:
    values = {"steps": 1, "batch": 2, "rate": 1e-3, "hard_share": 0.9, "has_penalty": True}
    return Course(**{**values, "keeps_outputs": False, **changes})  # type: ignore[arg-type]


def test_the_penalty_is_the_students_mean_square_on_textures(monkeypatch: pytest.MonkeyPatch) -> None:
    found = small()
    others = torch.rand(2, 3, SIZE // 2, SIZE // 2)
    monkeypatch.setattr(imitation, "textures", lambda *_: others)
    learner = found._imitation
    images = normal_images(2)
    with torch.no_grad():
        outputs = learner._teacher(images)
        losses = [
            learner._loss(images, outputs, course(has_penalty=penalty), torch.Generator().manual_seed(1))
            for penalty in (True, False)
        ]
        of_others = learner._student(imitation.normalised(others)).chunk(2, dim=1)[0]
    assert float(losses[0] - losses[1]) == pytest.approx(float(of_others.square().mean()), rel=1e-3)


def test_training_brings_the_student_to_the_teacher_and_finds_a_spot() -> None:
    images = normal_images(4, seed=9)
    short, trained = small(24), small(24, steps=60)
    with torch.no_grad():
        errors = [float(found._imitation.unscaled(images).teacher.mean()) for found in (short, trained)]
    assert errors[1] < 0.9 * errors[0]
    assert trained.predict(with_a_spot(images))[0].min() > trained.predict(images)[0].max()


def test_a_projection_keeps_lengths_within_its_space() -> None:
    matrix = orthogonal(5, 9, 0).double()
    assert torch.allclose(matrix @ matrix.T, torch.eye(5, dtype=torch.float64), atol=1e-6)
    assert not torch.equal(matrix, orthogonal(5, 9, 1).double())


@pytest.mark.parametrize("size", [32, 50])
def test_the_small_form_takes_images_of_any_size(size: int) -> None:
    found = detector("efficientad-small", image_size=size, steps=1)
    found.fit(Images(normal_images(3, size=size)), None, 0, no_progress)
    assert found.predict(normal_images(1, size=size))[1].shape == (1, size, size)


def test_maps_are_interpolated_between_the_cells_centres_and_go_on_at_the_border() -> None:
    enlarge = CellEnlarger(3, 33, first=10, stride=4, smoothing=0, device=CPU)
    cells = torch.tensor([[[1.0, 2, 4], [1, 2, 4], [1, 2, 4]]])
    row = enlarge(cells)[0, 0].double().numpy()
    assert row == pytest.approx(np.interp(np.arange(33), [10, 14, 18], [1, 2, 4]))
    assert torch.equal(enlarge(cells.mT), enlarge(cells).mT)


def test_a_clean_image_is_no_more_anomalous_at_its_border_than_inside() -> None:
    enlarge = CellEnlarger(8, SIZE, first=16, stride=4, smoothing=0, device=CPU)
    assert enlarge(torch.full((1, 8, 8), -0.5)).max() == -0.5
    assert functional.pad(torch.full((1, 8, 8), -0.5), (4, 4, 4, 4)).max() == 0  # as published


def saved(tensors: dict[str, Tensor], folder: Path, suffix: str = ".safetensors") -> Path:
    path = folder / f"teacher{suffix}"
    if suffix == ".pth":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    return path


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_teachers_convolutions_are_known_by_their_order(tmp_path: Path, suffix: str) -> None:
    """In a safetensors file the names are in another order than the layers."""
    medium = PatchDescriptionNetwork(NETWORKS["medium"], CHANNELS)
    initialise(medium, torch.Generator().manual_seed(0))
    expected = medium.state_dict()
    positions = sorted({int(name.partition(".")[0]) for name in expected})
    assert positions[-1] > 9
    renamed = {
        f"conv{positions.index(int(name.partition('.')[0])) + 1}.{name.partition('.')[2]}": tensor
        for name, tensor in expected.items()
    }
    networks = {name: PatchDescriptionNetwork(layers, CHANNELS) for name, layers in NETWORKS.items()}
    for tensors in (expected, renamed):
        found = read_teacher(saved(tensors, tmp_path, suffix), networks, "medium")
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def refused(path: str, **settings: object) -> str:
    found = detector("efficientad", teacher=path, **settings)
    with pytest.raises(InputError) as error:
        found.fit(Images(normal_images(2)), None, 0, no_progress)
    return message(error)


def test_a_teacher_that_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    assert refused("") == (
        "efficientad is fitted with a teacher, and none was given; give --teacher, a .safetensors or .pth "
        "file of PDN weights, or fit efficientad-small, which needs none"
    )
    assert refused("none.pth").startswith("none.pth: there is no such file")
    small_teacher = PatchDescriptionNetwork(NETWORKS["small"], CHANNELS).state_dict()
    path = saved({name: torch.zeros_like(tensor) for name, tensor in small_teacher.items()}, tmp_path)
    assert refused(str(path), network="medium") == (
        f"{path}: its convolutions (128x3x4x4, 256x128x4x4, 256x256x3x3, 384x256x4x4) are not "
        "those of a 'medium' teacher; set network=small"
    )
    other = saved({"fc.weight": torch.zeros(2, 2)}, tmp_path)
    assert refused(str(other)) == (
        f"{other}: its convolutions (none) are not those of a 'small' teacher; give the weights of a PDN-S "
        "or PDN-M teacher"
    )


def test_the_published_settings_are_the_default() -> None:
    settings = EfficientadSettings()
    assert (settings.steps, settings.network, settings.smoothing, settings.image_size) == (
        70_000,
        "small",
        0,
        256,
    )


def test_the_teacher_is_what_the_file_says_and_finds_a_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    use_thin_networks(monkeypatch)
    found = cast(Efficientad, detector("efficientad", teacher=thin_teacher_file(), steps=30))
    found.fit(Images(normal_images(6)), None, 0, no_progress)
    for name, tensor in thin_teacher().state_dict().items():
        assert torch.equal(found.state[f"teacher.{name}"], tensor)
    images = normal_images(3, seed=9)
    assert found.predict(with_a_spot(images))[0].min() > found.predict(images)[0].max()

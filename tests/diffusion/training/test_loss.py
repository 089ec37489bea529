"""The loss against diffusers, closed forms, and the variational bound written out slowly."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from diffusers import DDPMScheduler
from scipy.stats import norm
from torch import Tensor

from synthgen.diffusion.training.loss import DiffusionLoss
from synthgen.diffusion.training.presets import Prediction
from synthgen.diffusion.training.variational_bound import level_log_likelihood

T = 1000
SCHEDULER = DDPMScheduler(num_train_timesteps=T)
ALPHA_BAR: Tensor = SCHEDULER.alphas_cumprod
PREDICTIONS: list[Prediction] = ["epsilon", "v_prediction", "sample"]
TIMESTEPS = torch.tensor([0, 1, 2, 17, 400, 998, 999])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed))


def images_of(count: int) -> Tensor:
    """Of 256 levels, black and white among them."""
    levels = torch.randint(0, 256, (count, 3, 4, 4), generator=generator(7))
    levels[:, :, 0, 0], levels[:, :, 0, 1] = 0, 255
    return levels / 127.5 - 1


IMAGES = images_of(len(TIMESTEPS))
NOISE = drawn(*IMAGES.shape, seed=1)


def alone(loss: DiffusionLoss, output: Tensor) -> list[float]:
    """The loss of every image as a batch of its own."""
    each = zip(output, IMAGES, NOISE, TIMESTEPS, strict=True)
    return [float(loss(out[None], image[None], noise[None], at[None])) for out, image, noise, at in each]


def test_noised_images_are_those_of_diffusers() -> None:
    loss = DiffusionLoss(ALPHA_BAR, "epsilon", None)
    expected = SCHEDULER.add_noise(IMAGES, NOISE, TIMESTEPS)
    torch.testing.assert_close(loss.noised(IMAGES, NOISE, TIMESTEPS), expected)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_plain_loss_is_the_squared_error_to_the_target_of_diffusers(prediction: Prediction) -> None:
    targets = {
        "epsilon": NOISE,
        "v_prediction": SCHEDULER.get_velocity(IMAGES, NOISE, TIMESTEPS),
        "sample": IMAGES,
    }
    output = drawn(*IMAGES.shape, seed=2)
    loss = DiffusionLoss(ALPHA_BAR, prediction, None)
    expected = torch.nn.functional.mse_loss(output, targets[prediction])
    torch.testing.assert_close(loss(output, IMAGES, NOISE, TIMESTEPS), expected)
    torch.testing.assert_close(loss(targets[prediction], IMAGES, NOISE, TIMESTEPS), torch.tensor(0.0))


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_min_snr_weights_in_closed_form(prediction: Prediction) -> None:
    bound = 5.0
    output = drawn(*IMAGES.shape, seed=2)
    weighted = alone(DiffusionLoss(ALPHA_BAR, prediction, bound), output)
    plain = alone(DiffusionLoss(ALPHA_BAR, prediction, None), output)
    snr = [float(each) / (1 - float(each)) for each in ALPHA_BAR.double()[TIMESTEPS]]
    expected = {
        "epsilon": [min(each, bound) / each for each in snr],
        "v_prediction": [min(each, bound) / (each + 1) for each in snr],
        "sample": [min(each, bound) for each in snr],
    }
    assert max(snr) > bound > min(snr)
    ratios = [one / other for one, other in zip(weighted, plain, strict=True)]
    np.testing.assert_allclose(ratios, expected[prediction], rtol=1e-5)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_bound_is_the_one_that_is_written_out(prediction: Prediction) -> None:
    predicted = drawn(*IMAGES.shape, seed=3)
    variance = drawn(*IMAGES.shape, seed=4).clamp(-1.5, 1.5)
    loss = DiffusionLoss(ALPHA_BAR, prediction, None)
    both = alone(loss, torch.cat([predicted, variance], dim=1))
    bounds = [one - other for one, other in zip(both, alone(loss, predicted), strict=True)]
    expected = [
        slow_bound(prediction, predicted[number].double(), variance[number].double(), number)
        for number in range(len(TIMESTEPS))
    ]
    np.testing.assert_allclose(bounds, expected, rtol=1e-3, atol=1e-6)


def slow_bound(prediction: Prediction, predicted: Tensor, variance: Tensor, number: int) -> float:
    """L_t in bits per value, in double precision."""
    values = (IMAGES[number].double(), NOISE[number].double(), predicted, variance)
    flat = np.stack([each.flatten().numpy() for each in values], axis=1)
    terms = [slow_term(prediction, int(TIMESTEPS[number]), row) for row in flat]
    return sum(terms) / len(terms) / math.log(2)


def slow_term(prediction: Prediction, t: int, row: npt.NDArray[np.float64]) -> float:
    """L_t of one value in nats (DDPM, eqs. 5, 7, 13; Nichol & Dhariwal, eq. 15)."""
    x_0, noise, output, v = row.tolist()
    alpha_bars = ALPHA_BAR.double().tolist()
    now, before = alpha_bars[t], alpha_bars[t - 1] if t else 1.0
    beta = 1 - now / before
    x_t = math.sqrt(now) * x_0 + math.sqrt(1 - now) * noise
    guess = {
        "epsilon": (x_t - math.sqrt(1 - now) * output) / math.sqrt(now),
        "v_prediction": math.sqrt(now) * x_t - math.sqrt(1 - now) * output,
        "sample": output,
    }[prediction]
    guess = min(1.0, max(-1.0, guess))
    of_x_t = math.sqrt(1 - beta) * (1 - before) / (1 - now) * x_t
    true_mean = math.sqrt(before) * beta / (1 - now) * x_0 + of_x_t
    mean = math.sqrt(before) * beta / (1 - now) * guess + of_x_t
    first = max(t, 1)
    posterior = (1 - alpha_bars[first - 1]) / (1 - alpha_bars[first])
    posterior *= 1 - alpha_bars[first] / alpha_bars[first - 1]
    share = (v + 1) / 2
    sigma = math.sqrt(beta**share * posterior ** (1 - share))
    if t:
        return (
            math.log(sigma / math.sqrt(posterior))
            - 0.5
            + (posterior + (true_mean - mean) ** 2) / (2 * sigma**2)
        )
    low = -math.inf if x_0 == -1 else x_0 - 1 / 255
    high = math.inf if x_0 == 1 else x_0 + 1 / 255
    upper = low > mean
    interval = (
        norm.sf(low, mean, sigma) - norm.sf(high, mean, sigma)
        if upper
        else (norm.cdf(high, mean, sigma) - norm.cdf(low, mean, sigma))
    )
    return -math.log(max(interval, 1e-12))


def test_the_likelihoods_of_all_levels_sum_to_one() -> None:
    levels = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    for mean, deviation in ((0.0, 0.05), (0.9, 0.3), (-1.2, 0.5)):
        variance = torch.tensor(2 * math.log(deviation), dtype=torch.float64)
        likelihoods = level_log_likelihood(levels, torch.tensor(mean, dtype=torch.float64), variance).exp()
        assert float(likelihoods.sum()) == pytest.approx(1, abs=1e-6)


def test_likelihoods_far_from_the_mean_are_exact_on_both_sides() -> None:
    levels = torch.tensor([-0.2, 0.2])
    found = level_log_likelihood(levels, torch.tensor(0.0), torch.tensor(2 * math.log(0.04)))
    expected = np.log(norm.sf(0.2 - 1 / 255, 0, 0.04) - norm.sf(0.2 + 1 / 255, 0, 0.04))
    np.testing.assert_allclose(found, [expected] * 2, rtol=1e-5)


def test_the_bound_trains_the_variance_alone() -> None:
    predicted = drawn(*IMAGES.shape, seed=3).requires_grad_()
    variance = torch.zeros_like(IMAGES, requires_grad=True)
    loss = DiffusionLoss(ALPHA_BAR, "epsilon", None)
    loss(torch.cat([predicted, variance], dim=1), IMAGES, NOISE, TIMESTEPS).backward()
    expected = 2 * (predicted.detach() - NOISE) / NOISE.numel()
    assert predicted.grad is not None
    torch.testing.assert_close(predicted.grad, expected)
    assert variance.grad is not None
    assert bool((variance.grad.abs().amax(dim=(1, 2, 3)) > 0).all())


@pytest.mark.parametrize("t", [2, 5, 20])
def test_the_learned_variance_becomes_that_of_gaussian_data(t: int) -> None:
    """Where x_0 ~ N(0, d), the reverse step's variance is the posterior's plus that of its mean."""
    data_variance = 0.01  # so that the bounds of an image are far away
    a, before = float(ALPHA_BAR.double()[t]), float(ALPHA_BAR.double()[t - 1])
    beta = 1 - a / before
    of_original = data_variance * (1 - a) / (a * data_variance + 1 - a)
    posterior = beta * (1 - before) / (1 - a)
    right = posterior + before * beta**2 / (1 - a) ** 2 * of_original

    images = math.sqrt(data_variance) * drawn(4, 1, 64, 64, seed=5)
    noise = drawn(4, 1, 64, 64, seed=6)
    timesteps = torch.full((4,), t)
    loss = DiffusionLoss(ALPHA_BAR, "sample", None)
    noisy = loss.noised(images, noise, timesteps)
    ideal = math.sqrt(a) * data_variance / (a * data_variance + 1 - a) * noisy
    v = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([v], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        value = loss(torch.cat([ideal, v.expand_as(ideal)], dim=1), images, noise, timesteps)
        value.backward()
        return float(value.detach())

    optimizer.step(closure)
    share = (float(v.detach()) + 1) / 2
    learned = math.exp(share * math.log(beta) + (1 - share) * math.log(posterior))
    three_deviations = 3 * math.sqrt(2 / images.numel()) * (right - posterior)
    assert learned == pytest.approx(right, abs=three_deviations)
    assert right > 1.02 * posterior


def test_every_timestep_is_as_likely_and_a_batch_spreads_them() -> None:
    loss = DiffusionLoss(ALPHA_BAR, "epsilon", None)
    source = generator(8)
    counts = torch.zeros(T)
    for _ in range(2000):
        drawn_now = loss.timesteps(5, source)
        counts += torch.bincount(drawn_now, minlength=T)
        gaps = drawn_now.sort().values.diff()
        assert 199 <= int(gaps.min()) <= int(gaps.max()) <= 201
    assert counts.sum() == 10_000
    # Poisson with mean 10: fewer than 1 or more than 30 among 1000 would be a miracle.
    assert float(counts.min()) > 0
    assert float(counts.max()) < 30

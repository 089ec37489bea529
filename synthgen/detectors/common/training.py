"""Training networks for a fixed number of steps; one that was interrupted ends with the same weights."""

import math
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from synthgen.detectors.base import Fitting, State
from synthgen.errors import RunError
from synthgen.streams import Stream

SAVE_SECONDS = 60.0
"""A checkpoint is kept this often."""

Loss = Callable[[int, Generator], Tensor]
"""The loss of a step by its number, from 0; what is random in it is the generator's, or a stream's."""
Schedule = Callable[[float], float]
"""The factor of the learning rates, by the share of the steps that are done."""


def constant(done: float) -> float:
    """The learning rates stay as they are."""
    return 1.0


def cosine(done: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, ICLR 2017, one cycle)."""
    return 0.5 * (1 + math.cos(math.pi * done))


def train(
    networks: Mapping[str, nn.Module],
    optimizers: Sequence[Optimizer],
    loss: Loss,
    steps: int,
    fitting: Fitting,
    *,
    device: torch.device,
    schedule: Schedule = constant,
    clip: float | None = None,
) -> None:
    """Take ``steps`` steps of gradient descent, and report each; the networks of the last one are kept.

    ``networks`` holds all that is trained; who calls puts it in training mode. ``clip`` bounds the norm of
    all gradients together. Raises RunError as soon as a loss is NaN or infinite.
    """
    kept = fitting.checkpoint.load()
    first = _restore(kept, networks, optimizers) if kept else 0
    # Only now: restoring an optimizer replaces its groups.
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    begun = [float(group["lr"]) for group in groups]
    parameters = [each for group in groups for each in group["params"]]
    generator = Generator(device)
    saved = monotonic()
    for number in range(first, steps):
        for group, rate in zip(groups, begun, strict=True):
            group["lr"] = rate * schedule(number / steps)
        generator.manual_seed(Stream(fitting.seed, number, "training step").integer(0, 2**53))
        found = loss(number, generator)
        if not bool(found.isfinite()):
            raise RunError(
                f"the loss of step {number + 1} of {steps} is NaN or infinite; fit with another seed or "
                "settings"
            )
        for optimizer in optimizers:
            optimizer.zero_grad()
        torch.autograd.backward(found)
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        for optimizer in optimizers:
            optimizer.step()
        if monotonic() - saved >= SAVE_SECONDS:
            fitting.checkpoint.save(_state(number + 1, networks, optimizers))
            saved = monotonic()
        fitting.progress(number + 1, steps)


def _state(step: int, networks: Mapping[str, nn.Module], optimizers: Sequence[Optimizer]) -> State:
    """Everything that the next step depends on."""
    state = {"step": torch.tensor(step)}
    for name, network in networks.items():
        state |= {f"network/{name}/{key}": value for key, value in network.state_dict().items()}
    for position, optimizer in enumerate(optimizers):
        for parameter, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                if value is not None:
                    state[f"optimizer/{position}/{parameter}/{key}"] = torch.as_tensor(value)
    return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}


def _restore(state: State, networks: Mapping[str, nn.Module], optimizers: Sequence[Optimizer]) -> int:
    """Go back to a state. Returns the number of steps that were taken."""
    for name, network in networks.items():
        start = f"network/{name}/"
        network.load_state_dict(
            {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}
        )
    for position, optimizer in enumerate(optimizers):
        of_parameters: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            kind, *place = key.split("/")
            if kind == "optimizer" and int(place[0]) == position:
                of_parameters.setdefault(int(place[1]), {})[place[2]] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": of_parameters})
    return int(state["step"])

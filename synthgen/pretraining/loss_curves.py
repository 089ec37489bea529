"""The picture of a pre-training: its losses, and how far apart its outputs lie, by update."""

import io
from collections.abc import Sequence

import numpy as np

from synthgen.images.own import marked
from synthgen.pretraining.collapse import LEAST

SMOOTHED = 20
"""Parts of a training that each point is a mean over."""


def loss_curves(rows: Sequence[Sequence[float]]) -> bytes:
    """A PNG of what was logged: rows of an `Update`, after its number."""
    from matplotlib import style
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    updates, loss, base, spd, spread, _ = np.array(rows).T
    with style.context("default"):
        figure = Figure(figsize=(7.2, 5.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        curves = {"loss": loss, "base": base} | ({"SPD term": spd} if spd.any() else {})
        for name, values in curves.items():
            (line,) = upper.plot(updates + 1, values, linewidth=0.6, alpha=0.35)
            upper.plot(updates + 1, _smoothed(values), linewidth=1.8, color=line.get_color(), label=name)
        upper.legend(frameon=False)
        upper.set_ylabel("loss")
        lower.plot(updates + 1, spread, linewidth=1.2)
        lower.axhline(LEAST, linewidth=1, linestyle="--", color="tab:red")
        lower.text(updates[0] + 1, LEAST, " collapsed below", va="bottom", color="tab:red")
        lower.set_ylim(0, max(1.1, float(spread.max())))
        lower.set_ylabel("spread of the outputs")
        lower.set_xlabel("update")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        written = io.BytesIO()
        figure.savefig(written, format="png", dpi=120, metadata={"Software": None})
    return marked(written.getvalue())


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A running mean over a twentieth of the updates, of what there is at either end."""
    width = max(1, len(values) // SMOOTHED)
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")

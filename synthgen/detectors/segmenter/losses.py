"""The segmenter's losses, of scores where above 0 is anomalous; the first two are SuperSimpleNet's."""

from torch import Tensor
from torch.nn import functional

MARGIN = 0.5
"""The truncated L1 asks no more than this of a score."""
FOCUS = 4.0
"""Focal loss: the exponent that takes weight from what is decided well."""


def truncated_l1(scores: Tensor, labels: Tensor) -> Tensor:
    """How far scores are from their side's margin: the mean over normal ones and that over anomalous ones.

    ``labels``: bool, of the scores' shape; a side without any counts 0.
    """
    distance = functional.relu(MARGIN + scores.where(~labels, -scores))
    normal, anomalous = (~labels).sum().clamp(min=1), labels.sum().clamp(min=1)
    return (distance * ~labels).sum() / normal + (distance * labels).sum() / anomalous


def focal(scores: Tensor, labels: Tensor) -> Tensor:
    """The focal loss of sigmoid(scores) (Lin et al., ICCV 2017, equation 4), the mean over all."""
    cross_entropy = functional.binary_cross_entropy_with_logits(scores, labels.float(), reduction="none")
    certain = (-cross_entropy).exp()
    return ((1 - certain) ** FOCUS * cross_entropy).mean()


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """The cross entropy of sigmoid(scores), the mean over all."""
    return functional.binary_cross_entropy_with_logits(scores, labels.float())

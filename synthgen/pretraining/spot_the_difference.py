"""SPD's term: an image is to be nearer to a weak view of itself than to a locally changed copy of that.

Zou et al., ECCV 2022, say in words what their term does; its equation is not public, and neither is their
code. Both forms are reconstructions. Either compares the two similarities with each other: a term that only
pushed the copy away could be met by features of no use.
"""

from torch import Tensor
from torch.nn import functional


def contrast(images: Tensor, weak: Tensor, copies: Tensor, temperature: float) -> Tensor:
    """Cross entropy of the weak view against the copy, as one positive and one negative: (N,).

    All are (N, D): of the images, of weak views of them, and of the same views of their changed copies.
    """
    near, far = _similarities(images, weak, copies)
    return functional.softplus((far - near) / temperature)


def margin(images: Tensor, weak: Tensor, copies: Tensor, least: float) -> Tensor:
    """By how much the copy's similarity comes nearer to the weak view's than ``least``: (N,).

    Shapes are those of `contrast`.
    """
    near, far = _similarities(images, weak, copies)
    return (far - near + least).clamp(min=0)


def _similarities(images: Tensor, weak: Tensor, copies: Tensor) -> tuple[Tensor, Tensor]:
    near, far = (functional.cosine_similarity(images, other) for other in (weak, copies))
    return near, far

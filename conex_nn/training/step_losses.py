"""Losses of every step of a sequence, for masks to weigh."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["masked_mean", "step_cross_entropy", "step_squared_error"]


def step_cross_entropy(outputs: Float[Tensor, "time batch classes"], targets: Tensor) -> Float[Tensor, "time batch"]:
    r"""Return the cross-entropy of each step, :math:`-\log \operatorname{softmax}(y)_k`.

    Args:
        outputs: Scores of the classes [1].
        targets: Class k at each step, ``(time, batch)`` [1].

    Example:
        >>> step_cross_entropy(torch.zeros(1, 1, 2), torch.tensor([[1]]))
        tensor([[0.6931]])
    """
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)


def step_squared_error(
    outputs: Float[Tensor, "time batch outputs"], targets: Tensor, *, high: float = 1.0, low: float = 0.0
) -> Float[Tensor, "time batch"]:
    r"""Return the squared error of each step, :math:`\langle (y_i - \hat y_i)^2 \rangle_i`.

    Args:
        outputs: Outputs of the network [1].
        targets: Values ``(time, batch, outputs)``, or classes ``(time, batch)`` [1].
        high: What the output of the class has to be, where targets are classes [1].
        low: What those of the others have to be [1].

    Example:
        >>> step_squared_error(torch.tensor([[[0.0, 2.0]]]), torch.tensor([[1]]))
        tensor([[0.5000]])
    """
    if not targets.is_floating_point():
        targets = low + (high - low) * F.one_hot(targets, outputs.shape[-1]).to(outputs.dtype)
    return (outputs - targets).square().mean(-1)


def masked_mean(losses: Tensor, mask: Float[Tensor, "time batch"]) -> Float[Tensor, ""]:
    r"""Return the mean of losses over steps and samples, :math:`\sum m \ell / \sum m`.

    Args:
        losses: A loss of each step, ``(time, batch)``, or of each output, ``(time, batch, outputs)`` [1].
        mask: Weight of each step [1].

    Raises:
        ValueError: Losses of another shape.

    Example:
        >>> masked_mean(torch.tensor([[1.0], [4.0]]), torch.tensor([[1.0], [2.0]]))
        tensor(3.)
    """
    if losses.shape[:2] != mask.shape or losses.dim() > 3:
        raise ValueError(
            f"Expected `loss` to return a value of each step, (time, batch) = {tuple(mask.shape)}, got shape "
            f'{tuple(losses.shape)}. Losses of torch do with `reduction="none"`.'
        )
    if losses.dim() == 3:
        losses = losses.mean(-1)
    return (losses * mask).sum() / mask.sum()

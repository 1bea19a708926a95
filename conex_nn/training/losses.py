"""Losses of scores, and losses of whole output sequences."""

from collections.abc import Callable

from torch import Tensor, nn

__all__ = ["Loss", "OnSequence", "takes_sequence"]

Loss = Callable[[Tensor, Tensor], Tensor]
"""``loss(scores, labels)``, or ``loss(outputs, labels)`` where :func:`takes_sequence` says so."""


class OnSequence(nn.Module):
    """Mark a loss as one of the output sequence ``(time, batch, classes)``, not of the decoded scores.

    snnTorch's losses (``snntorch.functional.ce_rate_loss()`` ...) are known to be such and need no mark.

    Args:
        loss: ``loss(outputs, labels)``.

    Example:
        >>> loss = OnSequence(lambda outputs, labels: outputs.mean())
        >>> loss(torch.ones(3, 1, 2), torch.tensor([0]))
        tensor(1.)
    """

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of an output sequence ``(time, batch, classes)``."""
        return self.loss(outputs, labels)


def takes_sequence(loss: Loss) -> bool:
    """Return whether a loss takes the output sequence: :class:`OnSequence` and the losses of snnTorch do.

    Args:
        loss: Any loss.

    Example:
        >>> import snntorch.functional
        >>> takes_sequence(snntorch.functional.ce_rate_loss()), takes_sequence(nn.CrossEntropyLoss())
        (True, False)
    """
    return isinstance(loss, OnSequence) or type(loss).__module__.startswith("snntorch.functional")

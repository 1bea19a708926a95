"""Which choice a network has made, and how often it is right."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torchmetrics import Metric
from typing_extensions import override

__all__ = ["DecisionAccuracy", "choices", "right_choices"]


def choices(
    outputs: Float[Tensor, "time batch classes"], decision: Bool[Tensor, "time batch"]
) -> Int64[Tensor, " batch"]:
    """Return the class of the highest mean output during the decision, -1 for a sample without one.

    Args:
        outputs: Output sequence [1].
        decision: Steps at which the choice is read.

    Example:
        >>> outputs = torch.tensor([[[9.0, 0.0]], [[1.0, 2.0]], [[1.0, 2.0]]])
        >>> choices(outputs, torch.tensor([[False], [True], [True]]))
        tensor([1])
    """
    # The sum ranks classes as the mean does. An output may be infinite at other steps.
    scores = torch.where(decision.unsqueeze(-1), outputs, 0).sum(0)
    return torch.where(decision.any(0), scores.argmax(-1), -1)


def right_choices(
    targets: Int64[Tensor, "time batch"], decision: Bool[Tensor, "time batch"]
) -> Int64[Tensor, " batch"]:
    """Return the target at the last step of the decision, -1 for a sample without one.

    Args:
        targets: Classes [1].
        decision: Steps at which the choice is read.

    Example:
        >>> right_choices(torch.tensor([[0], [2], [2]]), torch.tensor([[False], [True], [True]]))
        tensor([2])
    """
    after = torch.arange(1, len(targets) + 1, device=targets.device).unsqueeze(1)
    last = (decision * after).amax(0) - 1
    return torch.where(last >= 0, targets.gather(0, last.clamp(min=0).unsqueeze(0))[0], -1)


class DecisionAccuracy(Metric):
    """Share of samples whose choice is right: the class of the highest mean output during the decision.

    Samples without a decision do not count.

    Example:
        >>> accuracy = DecisionAccuracy()
        >>> outputs = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])  # one step of two samples
        >>> accuracy(outputs, torch.tensor([[1, 0]]), torch.ones(1, 2, dtype=torch.bool))
        tensor(0.5000)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    right: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    @override
    def update(
        self,
        outputs: Float[Tensor, "time batch classes"],
        targets: Int64[Tensor, "time batch"],
        decision: Bool[Tensor, "time batch"],
    ) -> None:
        """Add a batch.

        Args:
            outputs: Output sequence.
            targets: Class at each step; the last of the decision is what the choice has to be.
            decision: Steps at which the choice is read.
        """
        chosen, right = choices(outputs, decision), right_choices(targets, decision)
        self.right += ((chosen == right) & (right >= 0)).sum()
        self.samples += (right >= 0).sum()

    @override
    def compute(self) -> Tensor:
        """Return the share of right choices [1]."""
        return self.right / self.samples

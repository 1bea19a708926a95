"""How soon a network has made up its mind."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric
from typing_extensions import override

__all__ = ["DecisionLatency"]


class DecisionLatency(Metric):
    """Mean time after which the predicted class is the final one and stays it.

    A decision after the first step takes one step. While all scores are equal (no output has spiked yet) there is no
    prediction; a sample that never gets one counts with its whole duration.

    Args:
        dt: Length of a step [ms].

    Example:
        >>> scores = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]])  # of two classes after each of three steps
        >>> DecisionLatency(dt=1.0)(scores.unsqueeze(1))
        tensor(2.)
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    steps: Tensor
    samples: Tensor

    def __init__(self, *, dt: float = 1.0) -> None:
        super().__init__()
        if not dt > 0:
            raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
        self.dt = dt
        self.add_state("steps", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    @override
    def update(self, scores: Float[Tensor, "time batch classes"], lengths: Int[Tensor, " batch"] | None = None) -> None:
        """Add a batch.

        Args:
            scores: Scores of what has come so far, after each step, see :func:`running_scores`.
            lengths: Length of each sample, where sequences are padded at their end [steps].
        """
        lengths = torch.full(scores.shape[1:2], len(scores), device=scores.device) if lengths is None else lengths
        undecided = scores.amax(-1) == scores.amin(-1)
        classes = scores.argmax(-1).masked_fill(undecided, -1)
        final = classes.gather(0, lengths[None] - 1)
        after = torch.arange(1, len(scores) + 1, device=scores.device).unsqueeze(1)
        differs = (classes != final) & (after <= lengths)
        last_other = (differs * after).amax(0)  # the last step, from 1, with another prediction
        steps = torch.where(final[0] == -1, lengths, last_other + 1)
        self.steps += steps.sum()
        self.samples += scores.shape[1]

    @override
    def compute(self) -> Tensor:
        """Return the mean latency [ms]."""
        return self.dt * self.steps / self.samples

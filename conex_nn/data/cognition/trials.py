"""What a cognitive task gives: trials with targets, weights over time, and what each trial was about."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["Trials"]


class Trials(NamedTuple):
    """Trials of a task, time first; in a batch of a data module, batch first."""

    inputs: Float[Tensor, "time batch features"]
    """What a network sees [1]."""
    targets: Int64[Tensor, "time batch"]
    """Class that it should name at each step, 0 for keeping fixation [1]."""
    mask: Float[Tensor, "time batch"]
    """Weight of each step in the loss; 0 where nothing is asked, as after a trial's end [1]."""
    decision: Bool[Tensor, "time batch"]
    """Steps at which the choice is read [1]."""
    info: dict[str, Tensor]
    """What each trial was about, ``(batch,)``: ``choice``, the class that is right [1], and what the task varies."""

    def swapped(self) -> "Trials":
        """Return the same trials with time and batch exchanged, as views.

        Example:
            >>> from conex_nn.data import PerceptualDecision
            >>> PerceptualDecision().trials(4).swapped().inputs.shape
            torch.Size([4, 60, 3])
        """
        time_and_batch = (part.movedim(1, 0) for part in self[:-1])
        return Trials(*time_and_batch, info=self.info)  # pyright: ignore[reportArgumentType]

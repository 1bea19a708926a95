"""When a network has learned enough."""

from collections import deque
from typing import Any

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn
from typing_extensions import override

__all__ = ["Criterion"]


class Criterion(L.Callback):
    """Stop training once the mean of a figure over the last validations is above a value.

    Args:
        above: What it has to be above, in the unit of the figure [1].
        monitor: What is logged in validation.
        over: Validations over which the mean is taken [1].

    Raises:
        ValueError: Fewer than one validation; at a validation: nothing is logged under that name.

    Example:
        >>> stop = Criterion(above=0.85, over=5)
        >>> trainer = L.Trainer(callbacks=[stop], logger=False, enable_checkpointing=False, accelerator="cpu")

    References:
        Song, Yang and Wang, PLOS Computational Biology 12 (2016), e1004792: 85 % correct; over five validations in
        their program.
    """

    reached: bool
    """Whether the criterion has been met."""

    def __init__(self, *, above: float, monitor: str = "val/accuracy", over: int = 1) -> None:
        if over < 1:
            raise ValueError(f"Expected `over` to be at least 1 [1], got {over}.")
        self.above = above
        self.monitor = monitor
        self.over = over
        self.reached = False
        self._last: deque[float] = deque(maxlen=over)

    @property
    @override
    def state_key(self) -> str:
        # Several in one trainer, each of another figure, keep apart what they save.
        return self._generate_state_key(monitor=self.monitor, above=self.above, over=self.over)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"last": list(self._last), "reached": self.reached}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not self._last:  # a test of the best checkpoint leaves alone what is known of the whole training
            self._last = deque(state_dict["last"], maxlen=self.over)
            self.reached = bool(state_dict["reached"])

    @override
    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        if self.monitor not in trainer.callback_metrics:
            known = ", ".join(map(repr, trainer.callback_metrics)) or "nothing"
            raise ValueError(
                f"Expected `monitor` to be logged in validation, got {self.monitor!r}, and there is {known}."
            )
        self._last.append(float(trainer.callback_metrics[self.monitor]))
        if len(self._last) == self.over and sum(self._last) / self.over > self.above:
            self.reached = True
            trainer.should_stop = True

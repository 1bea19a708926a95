"""What every LightningModule here does: it makes an optimizer from callables, and goes on exactly where it stopped."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, cast

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from typing_extensions import override

from conex_nn.memory import keep_memory
from conex_nn.training.clock import Clock
from conex_nn.training.plastic_weights import check_optimizer, give_changes, plastic_weights
from conex_nn.training.random_state import random_states, restore_random_states
from conex_nn.training.same_model import check_same_model
from conex_nn.training.scheduling import scheduling

__all__ = ["Trainable"]

_RANDOM_STATES = "random_states"


class Trainable(L.LightningModule, ABC):
    """A network with an optimizer and a scheduler, either or both of gradients and rules, and exact resuming.

    A subclass defines ``training_step`` and ``validation_loss``. What it returns from the former is a loss, or
    ``clock()`` where ``clock`` is not None: then there is nothing to differentiate.

    Args:
        net: The network.
        optimizer: Makes an optimizer from parameters.
        scheduler: Makes a learning-rate scheduler from an optimizer; with ``total_steps``, where it takes that.
        scheduler_interval: When a scheduler that does not take ``total_steps`` is advanced.

    Raises:
        ValueError: An unknown interval; at fitting: nothing to train, a weight for its rule alone that the optimizer
            has too, a ``ReduceLROnPlateau`` without validation; at loading: a checkpoint of another model.
        TypeError: A net that is no module.

    Example:
        >>> class Mean(Trainable):
        ...     def training_step(self, batch, batch_idx):
        ...         return self.net(batch).mean()
        ...
        ...     def validation_loss(self):
        ...         return 0.0
        >>> Mean(nn.Linear(2, 1)).configure_optimizers()
        AdamW (...
    """

    clock: Clock | None
    """What is differentiated where nothing else is; None where there are parameters."""

    def __init__(
        self,
        net: nn.Module,
        *,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = torch.optim.AdamW,
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        scheduler_interval: Literal["epoch", "step"] = "epoch",
    ) -> None:
        super().__init__()
        if not isinstance(net, nn.Module):
            raise TypeError(f"Expected `net` to be a torch module, got {type(net).__name__}.")
        if scheduler_interval not in ("epoch", "step"):
            raise ValueError(f'Expected `scheduler_interval` to be "epoch" or "step", got {scheduler_interval!r}.')
        self.net = net
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.scheduler_interval: Literal["epoch", "step"] = scheduler_interval
        self.clock = None
        self._to_restore: list[dict[str, Any]] | None = None

    @abstractmethod
    def validation_loss(self) -> float:
        """Return the mean loss of the validation that has just ended [1]."""

    def _log_mean(self, name: str, value: Tensor, *, samples: int, prog_bar: bool = False) -> None:
        """Log the mean of an epoch, over samples and processes."""
        self.log(name, value, on_step=False, on_epoch=True, sync_dist=True, batch_size=samples, prog_bar=prog_bar)

    @override
    def on_validation_epoch_end(self) -> None:
        # Lightning would do this after the checkpoint of the epoch is saved, and it would be lost on resuming.
        if self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking:
            for config in self.trainer.lr_scheduler_configs:
                if isinstance(config.scheduler, ReduceLROnPlateau):
                    config.scheduler.step(self.validation_loss())

    @override
    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    @override
    def configure_optimizers(self) -> Any:
        parameters = [] if self.clock is not None else [p for p in self.parameters() if p.requires_grad]
        plastic = plastic_weights(self.net)
        parameters += [each.weight for each in plastic if each.into == "grad" and not each.weight.requires_grad]
        if not parameters and not plastic and all(getattr(m, "rule", None) is None for m in self.net.modules()):
            raise ValueError(
                "Expected `net` to have something to train, got neither a parameter with `requires_grad` nor a rule "
                "(`connect(..., rule=)`, `attach(rule, ...)`)."
            )
        if not parameters:
            optimizer = cast(Clock, self.clock).optimizer()
            check_optimizer(self.net, optimizer)
            return optimizer
        optimizer = self.make_optimizer(cast("list[nn.Parameter]", parameters))
        check_optimizer(self.net, optimizer)
        if self.make_scheduler is None:
            return optimizer
        making = scheduling(self.make_scheduler, optimizer, self.trainer, interval=self.scheduler_interval)
        return {"optimizer": optimizer, "lr_scheduler": making}

    @override
    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        give_changes(self.net)

    @override
    def setup(self, stage: str) -> None:
        if stage == "fit":
            self.clock = None
            self.clock = None if any(p.requires_grad for p in self.parameters()) else Clock()
            if self.trainer.strategy.root_device.type == "cpu":
                keep_memory()

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[_RANDOM_STATES] = random_states(self.device)

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self._trainer is not None and self.trainer.state.fn == TrainerFn.FITTING:
            self._to_restore = checkpoint.get(_RANDOM_STATES)
            self._restore()

    def _restore(self) -> None:
        if self._to_restore is not None:
            restore_random_states(self._to_restore, self.trainer.strategy.root_device)

    # From a checkpoint at the end of an epoch, Lightning draws until the first batch what it draws between two epochs:
    # the loader's seed. From one of before that (after validation), it first ends the epoch, and draws one seed more.

    @override
    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self._to_restore = None

    @override
    def on_train_epoch_end(self) -> None:
        self._restore()

    @override
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        if strict:
            check_same_model(self.state_dict(), state_dict)
        return super().load_state_dict(state_dict, strict=strict, assign=assign)

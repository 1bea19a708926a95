"""Which parts of a network learn in which epochs."""

from collections.abc import Container, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import lightning as L
from torch import nn
from typing_extensions import override

from conex_nn.plasticity import Rule
from conex_nn.structure.addresses import nearest
from conex_nn.training.classifier import SpikingClassifier

__all__ = ["LearningSchedule"]


class LearningSchedule(L.Callback):
    """Let parts of a network learn in some epochs only, such as one layer after the other.

    A pattern is the address of a module, a connection, a rule or a parameter in the network, as ``named_modules`` and
    ``named_parameters`` give it, perhaps with ``*``; it stands for everything there and below. Out of their epochs
    rules are switched off, and parameters get no gradient; what no pattern names always learns.

    Args:
        epochs: In which epochs, counted from 0, what a pattern names learns. What several name learns in the epochs of
            each of them.

    Raises:
        ValueError: At fitting: a pattern that names nothing that learns.
        TypeError: No container of epochs; at fitting: a module that is no :class:`SpikingClassifier`.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Sequential(nn.Linear(4, 3), cx.LIF(), nn.Linear(3, 2), cx.LI())
        >>> schedule = LearningSchedule({"0": range(0, 2), "2": range(2, 10)})
        >>> schedule.learning(net, epoch=1)
        {'0.weight': True, '0.bias': True, '2.weight': False, '2.bias': False}
    """

    def __init__(self, epochs: Mapping[str, Container[int]]) -> None:
        for pattern, when in epochs.items():
            if not isinstance(when, Container):
                raise TypeError(f"Expected the epochs of {pattern!r} as a range or a set [1], got {when!r}.")
        self.epochs = dict(epochs)

    def learning(self, net: nn.Module, *, epoch: int) -> dict[str, bool]:
        """Return whether each rule and parameter that a pattern names learns, by its address.

        Args:
            net: The network.
            epoch: Which one, from 0 [1].
        """
        found: dict[str, bool] = {}
        known = [address for address, _ in _parts(net)]
        for pattern, when in self.epochs.items():
            names = [address for address in known if _below(address, pattern)]
            if not names:
                raise ValueError(
                    f"Expected {pattern!r} to name something that learns, got no rule and no parameter of that "
                    f"address.{nearest(pattern, known)}"
                )
            for name in names:
                found[name] = found.get(name, False) or epoch in when
        return found

    @override
    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage == "fit":
            self.learning(_net(pl_module), epoch=0)  # for its checks

    @override
    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._switch(_net(pl_module), epoch=trainer.current_epoch)

    @override
    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Any) -> None:
        # Not by `requires_grad`: DistributedDataParallel waits for the gradients that there were at the start.
        net = _net(pl_module)
        learns = self.learning(net, epoch=trainer.current_epoch)
        for name, parameter in net.named_parameters():
            if not learns.get(name, True):
                parameter.grad = None

    @override
    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._switch(_net(pl_module), epoch=None)

    def _switch(self, net: nn.Module, *, epoch: int | None) -> None:
        """Switch rules for an epoch, or all of them on."""
        learns = {} if epoch is None else self.learning(net, epoch=epoch)
        for address, part in _parts(net):
            if isinstance(part, Rule):
                part.enabled = learns.get(address, True)


def _parts(net: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield what learns, by address: rules (not those inside of a chain), and parameters."""
    rules: list[str] = []
    for address, module in net.named_modules():
        if isinstance(module, Rule) and not any(address.startswith(f"{rule}.") for rule in rules):
            rules.append(address)
            yield address, module
    yield from net.named_parameters()


def _below(address: str, pattern: str) -> bool:
    """Whether an address, or one above it, is as the pattern says."""
    names = address.split(".")
    return any(fnmatchcase(".".join(names[:n]), pattern) for n in range(1, len(names) + 1))


def _net(module: L.LightningModule) -> nn.Module:
    if not isinstance(module, SpikingClassifier):
        raise TypeError(f"Expected `LearningSchedule` to see a SpikingClassifier, got {type(module).__name__}.")
    return module.net

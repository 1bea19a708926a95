"""Further readouts of a network that is trained to classify: what else it has to tell of each sample."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from conex_nn.training.batch_checks import check_labels, check_outputs, check_scores
from conex_nn.training.decode import spike_count
from conex_nn.training.losses import takes_sequence
from conex_nn.training.padding import decode_padded, loss_padded
from conex_nn.training.readout import readout_address

__all__ = ["Head", "Heads"]

_STAGES = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Head:
    """A readout with classes of its own.

    Args:
        num_classes: Number of classes [1].
        readout: Address of the module or population whose output is read.
        decode: Maps outputs ``(time, batch, classes)`` to scores ``(batch, classes)``.
        loss: ``loss(scores, labels)``, or of whole sequences as a classifier's own.
        weight: What its loss counts beside the others [1].

    Raises:
        ValueError: A number out of range.

    Example:
        >>> Head(num_classes=9, readout="where").weight
        1.0
    """

    num_classes: int
    readout: str
    # Made by a factory: a function that is a class's attribute would be a method of it.
    decode: Callable[[Tensor], Any] = field(default_factory=lambda: spike_count)
    loss: Callable[[Tensor, Tensor], Any] = field(default_factory=lambda: nn.functional.cross_entropy)
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise ValueError(f"Expected `num_classes` to be at least 2 [1], got {self.num_classes}.")
        if not self.weight > 0:
            raise ValueError(f"Expected `weight` to be positive [1], got {self.weight}.")


class Heads(nn.Module):
    """The further heads of a classifier, with their losses and accuracies.

    Args:
        net: The network.
        heads: By name.

    Raises:
        ValueError: A readout that does not exist, or a name with a dot.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(eye=cx.InputLayer(4), it=cx.Population(2, cx.LIF()), pp=cx.Population(3, cx.LIF()))
        >>> heads = Heads(net, {"where": Head(num_classes=3, readout="pp")})
        >>> heads.split({"what": torch.tensor([1]), "where": torch.tensor([2])})
        (tensor([1]), {'where': tensor([2])})
    """

    def __init__(self, net: nn.Module, heads: Mapping[str, Head]) -> None:
        super().__init__()
        self.heads = dict(heads)
        self.readouts = {name: readout_address(net, head.readout) for name, head in self.heads.items()}
        for name in self.heads:
            if "." in name or not name:
                raise ValueError(f"Expected the names of `heads` to be without dots, got {name!r}.")
        self.accuracies = nn.ModuleDict(
            {f"{stage}/{name}": _accuracy(head) for stage in _STAGES for name, head in self.heads.items()}
        )

    def split(self, labels: Any) -> tuple[Any, dict[str, Tensor]]:
        """Return the labels of the classifier itself, and those of its further heads, checked.

        Args:
            labels: Labels ``(batch,)``; with further heads, by name, the classifier's own under a name that is left.

        Raises:
            TypeError: Further heads, and labels that are not by name; or labels that are no whole numbers.
            ValueError: Labels that are missing or too many, of unequal lengths, or out of range.
        """
        if not self.heads:
            return labels, {}
        names = ", ".join(map(repr, self.heads))
        if not isinstance(labels, Mapping):
            raise TypeError(
                f"Expected `labels` by name, for the heads {names} and the classifier's own, got "
                f"{type(labels).__name__}."
            )
        own = [name for name in labels if name not in self.heads]
        if len(own) != 1 or len(labels) != len(self.heads) + 1:
            raise ValueError(
                f"Expected `labels` for the heads {names} and under one more name the classifier's own, got those of "
                f"{', '.join(map(repr, labels)) or 'nothing'}."
            )
        if not isinstance(labels[own[0]], Tensor):
            raise TypeError(f"Expected `labels[{own[0]!r}]` to be a tensor, got {type(labels[own[0]]).__name__}.")
        for name, head in self.heads.items():
            check_labels(labels[name], num_classes=head.num_classes, name=f"labels[{name!r}]")
            if len(labels[name]) != len(labels[own[0]]):
                raise ValueError(
                    f"Expected `labels` of equally many samples, got {len(labels[own[0]])} of {own[0]!r} and "
                    f"{len(labels[name])} of {name!r}."
                )
        return labels[own[0]], {name: labels[name].long() for name in self.heads}

    def checked(self, outputs: Sequence[Any], *, steps: int, batch: int) -> dict[str, Tensor]:
        """Return the output sequence of each head by its name, ``(time, batch, classes)``, or raise.

        Args:
            outputs: What was read, in the order of the heads.
            steps: Steps that there were in the input [1].
            batch: Samples that there were in the input [1].
        """
        return {
            name: check_outputs(ys, num_classes=head.num_classes, steps=steps, batch=batch)
            for (name, head), ys in zip(self.heads.items(), outputs, strict=True)
        }

    def loss(
        self,
        outputs: Mapping[str, Tensor],
        targets: Mapping[str, Tensor],
        stage: str,
        lengths: Tensor | None = None,
    ) -> Tensor | float:
        """Return the weighted sum of the heads' losses, and count who was right.

        Args:
            outputs: Output sequence of each head, ``(time, batch, classes)``.
            targets: True classes of each head, ``(batch,)``.
            stage: ``"train"``, ``"val"`` or ``"test"``.
            lengths: Length of each sample; None where nothing is padded [steps].
        """
        total: Tensor | float = 0.0
        for name, head in self.heads.items():
            ys, labels = outputs[name], targets[name]
            scores = check_scores(
                decode_padded(head.decode, ys, lengths), num_classes=head.num_classes, batch=len(labels)
            )
            self._accuracy(stage, name).update(scores.detach(), labels)
            whole = takes_sequence(head.loss)
            loss = loss_padded(head.loss, ys, labels, lengths) if whole else head.loss(scores, labels).mean()
            total = total + head.weight * loss
        return total

    def metrics(self, stage: str) -> dict[str, Metric]:
        """Return what a stage has counted, by name: ``"<head>/accuracy"``.

        Args:
            stage: ``"train"``, ``"val"`` or ``"test"``.
        """
        return {f"{name}/accuracy": self._accuracy(stage, name) for name in self.heads}

    def _accuracy(self, stage: str, name: str) -> MulticlassAccuracy:
        return self.accuracies[f"{stage}/{name}"]  # pyright: ignore[reportReturnType]


def _accuracy(head: Head) -> MulticlassAccuracy:
    return MulticlassAccuracy(head.num_classes, average="micro", validate_args=False)

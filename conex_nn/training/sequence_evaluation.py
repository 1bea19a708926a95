"""What is measured while a network is validated or tested on sequences."""

import copy
from collections.abc import Mapping

from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric

from conex_nn.training.decision_accuracy import DecisionAccuracy, choices
from conex_nn.training.psychometric_curve import Psychometric, PsychometricCurve
from conex_nn.training.sequence_batch import SequenceBatch

__all__ = ["Groups", "SequenceEvaluation"]

Groups = tuple[str, tuple[str, ...]]
"""Name of an ``info`` that says to which group a sequence belongs, from 0, and the names of the groups."""


class SequenceEvaluation(nn.Module):
    """The metrics of one stage: ``loss``; of classes, ``accuracy`` of decisions, by group too, and psychometric curves.

    Args:
        groups: How sequences are grouped; None for not at all.
        psychometric: A curve by the name of the ``info`` that is its evidence; None for none.

    Example:
        >>> from conex_nn.training.sequence_batch import sequence_batch
        >>> evaluation = SequenceEvaluation()
        >>> batch = sequence_batch((torch.zeros(2, 1, 3), torch.tensor([[0], [1]])))
        >>> evaluation.update(torch.tensor([[[1.0, 0.0], [2.0, 1.0]]]), batch, loss=torch.tensor(0.5))
        >>> evaluation.metrics()["accuracy"].compute()
        tensor(0.5000)
    """

    def __init__(
        self, groups: Groups | None = None, psychometric: Mapping[str, PsychometricCurve] | None = None
    ) -> None:
        super().__init__()
        self.loss = MeanMetric(nan_strategy="disable")
        self.accuracy = DecisionAccuracy()
        self.groups = groups
        # Copies, by place: a ModuleDict takes no dots in its keys.
        self.of_groups = nn.ModuleList(DecisionAccuracy() for _ in (groups[1] if groups else ()))
        self.evidence = tuple(psychometric or ())
        self.of_evidence = nn.ModuleList(copy.deepcopy(curve) for curve in (psychometric or {}).values())

    def update(self, outputs: Tensor, batch: SequenceBatch, *, loss: Tensor) -> None:
        """Add a batch.

        Args:
            outputs: Output sequence, ``(time, batch, outputs)``.
            batch: What the network had to do.
            loss: Mean loss of the batch [1].
        """
        self.loss.update(loss.detach().expand(outputs.shape[1]))
        if not batch.of_classes:
            return
        self.accuracy.update(outputs, batch.targets, batch.decision)
        if self.groups is not None:
            group = batch.info[self.groups[0]]
            for place, accuracy in enumerate(self.of_groups):
                of = group == place
                accuracy.update(outputs[:, of], batch.targets[:, of], batch.decision[:, of])  # pyright: ignore
        chosen = choices(outputs, batch.decision)
        for name, curve in zip(self.evidence, self.of_evidence, strict=True):
            curve.update(chosen, batch.info[name])  # pyright: ignore

    def metrics(self) -> dict[str, Metric]:
        """Return the metrics that are one number and have counted something, by name."""
        found: dict[str, Metric] = {"loss": self.loss, "accuracy": self.accuracy}
        if self.groups is not None:
            found |= {
                f"accuracy/{name}": metric
                for name, metric in zip(self.groups[1], self.of_groups, strict=True)
                if isinstance(metric, Metric)
            }
        return {name: metric for name, metric in found.items() if metric.update_called}

    def curves(self) -> dict[str, Psychometric]:
        """Return the psychometric curves that have counted something, by the name of their evidence."""
        return {
            name: curve.compute()
            for name, curve in zip(self.evidence, self.of_evidence, strict=True)
            if isinstance(curve, PsychometricCurve) and curve.update_called
        }

    def reset_curves(self) -> None:
        """Forget what the psychometric curves have collected; Lightning does so with what is logged only."""
        for curve in self.of_evidence:
            curve.reset()  # pyright: ignore

"""What is measured while a classifier is validated or tested."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)

from conex_nn.training.activity import Activity
from conex_nn.training.decision_latency import DecisionLatency
from conex_nn.training.decode import Decode, running_scores

__all__ = ["Evaluation"]


class Evaluation(nn.Module):
    """The metrics of one stage.

    Always: ``loss``, ``accuracy``, ``top_<k>``, ``f1`` (macro), and those of :class:`Activity`. When thorough:
    ``calibration_error`` (of the softmax of the scores, expected error in 15 bins), ``latency`` [ms] and the confusion
    matrix.

    Args:
        net: Network whose activity is measured.
        num_classes: Number of classes [1].
        top_k: Guesses that the second accuracy allows [1].
        dt: Length of a step [ms].
        thorough: Measure what takes more time or memory, too.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Sequential(nn.Linear(4, 3), cx.LIF())
        >>> evaluation = Evaluation(net, num_classes=3)
        >>> with evaluation.watch(net, samples=2):
        ...     outputs, _ = net(torch.ones(10, 2, 4))
        >>> scores = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 1.0]])
        >>> evaluation.update(outputs, scores, torch.tensor([2, 1]), loss=torch.tensor(1.2))
        >>> evaluation.metrics()["accuracy"].compute()
        tensor(0.5000)
    """

    def __init__(
        self, net: nn.Module, *, num_classes: int, top_k: int = 2, dt: float = 1.0, thorough: bool = False
    ) -> None:
        super().__init__()
        accuracy = partial(MulticlassAccuracy, num_classes=num_classes, average="micro", validate_args=False)
        self.loss = MeanMetric(nan_strategy="disable")
        of_scores: dict[str, Metric] = {"accuracy": accuracy()}
        if top_k > 1:
            of_scores[f"top_{top_k}"] = accuracy(top_k=top_k)
        of_scores["f1"] = MulticlassF1Score(num_classes, average="macro", validate_args=False)
        self.of_scores = nn.ModuleDict(of_scores)
        self.activity = Activity(net, dt=dt)
        self.thorough = thorough
        if thorough:
            self.calibration = MulticlassCalibrationError(num_classes, validate_args=False)
            self.latency = DecisionLatency(dt=dt)
            self.confusion = MulticlassConfusionMatrix(num_classes, validate_args=False)

    @contextmanager
    def watch(self, net: nn.Module, *, samples: int, lengths: Tensor | None = None) -> Iterator[None]:
        """Count the network's activity while the block runs.

        Args:
            net: The network.
            samples: Samples in the batch that it will be given [1].
            lengths: Length of each of them, where they are padded at their end [steps].
        """
        with self.activity.watch(net, samples=samples, lengths=lengths):
            yield

    def update(
        self,
        outputs: Tensor,
        scores: Tensor,
        labels: Tensor,
        *,
        loss: Tensor,
        decode: Decode | None = None,
        lengths: Tensor | None = None,
    ) -> None:
        """Add a batch.

        Args:
            outputs: Output sequence, ``(time, batch, classes)``.
            scores: Scores, ``(batch, classes)``.
            labels: True classes, ``(batch,)``.
            loss: Mean loss of the batch [1].
            decode: Readout; without it no latency is measured.
            lengths: Length of each sample, where they are padded at their end [steps].
        """
        # One value per sample: with nan_strategy="disable", torchmetrics 1.9 takes no notice of a `weight`.
        self.loss.update(loss.expand(len(labels)))
        for metric in self.of_scores.values():
            metric.update(scores, labels)  # pyright: ignore[reportCallIssue]
        if self.thorough:
            self.calibration.update(scores.softmax(-1), labels)
            self.confusion.update(scores, labels)
            if decode is not None:
                self.latency.update(running_scores(outputs, decode=decode), lengths)

    def metrics(self) -> dict[str, Metric]:
        """Return the metrics that are one number and have counted something, by name."""
        found: dict[str, Metric] = {"loss": self.loss}
        found |= {name: metric for name, metric in self.of_scores.items() if isinstance(metric, Metric)}
        if self.thorough:
            found |= {"calibration_error": self.calibration, "latency": self.latency}
        return {name: metric for name, metric in found.items() if metric.update_called} | self.activity.metrics()

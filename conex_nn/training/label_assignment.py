"""Which class each neuron stands for, by what it answered to samples whose class is known."""

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric
from typing_extensions import override

__all__ = ["LabelAssignment"]


class LabelAssignment(Metric):
    r"""Give each neuron the class to which it answers most, and classify by the answers of the neurons of each class.

    What is added up is each neuron's mean response :math:`\bar r_{cn}` to each class; its label is the class with the
    largest. The score of a class is the mean response of its neurons,

    .. math:: s_c = \frac{1}{|N_c|} \sum_{n \in N_c} r_n, \qquad N_c = \{n : c = \arg\max_{c'} \bar r_{c'n}\},

    or, with ``proportional``, that of :math:`r_n \bar r_{cn} / \sum_{c'} \bar r_{c'n}`: a neuron that answers to
    several classes says less for its own. A neuron that never responded has no label, and counts for no class.

    Labels have to come from training data only. The sums are in the ``state_dict``, and so in a checkpoint; those of
    several processes are added up.

    Args:
        num_classes: Number of classes [1].
        proportional: Weigh a neuron's answer by the part of all of its answers that its class has.

    Raises:
        ValueError: Fewer than two classes; at an update: labels out of range, or other shapes than those before; at its
            use: no response was seen yet.

    Example:
        >>> assignment = LabelAssignment(2)
        >>> assignment.update(torch.tensor([[5.0, 0.0, 1.0], [0.0, 0.0, 4.0]]), torch.tensor([0, 1]))
        >>> assignment.compute()  # the second never responded
        tensor([ 0, -1,  1])
        >>> assignment.scores(torch.tensor([[3.0, 9.0, 2.0]]))
        tensor([[3., 2.]])

    References:
        Diehl and Cook, Frontiers in Computational Neuroscience 9 (2015), section 2.5; Hazan et al. (BindsNET),
        Frontiers in Neuroinformatics 12 (2018), section 3.2, for the proportions.
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    responses: Tensor
    """Sum of the responses to each class, ``(classes, neurons)`` [1]."""
    samples: Tensor
    """Samples of each class, ``(classes,)`` [1]."""

    def __init__(self, num_classes: int, *, proportional: bool = False, **metric: Any) -> None:
        super().__init__(**metric)
        if num_classes < 2:
            raise ValueError(f"Expected `num_classes` to be at least 2 [1], got {num_classes}.")
        self.num_classes = num_classes
        self.proportional = proportional
        none = torch.zeros(num_classes, 0, dtype=torch.float64)  # of as many neurons as the first responses have
        self.add_state("responses", none, dist_reduce_fx="sum", persistent=True)
        samples = torch.zeros(num_classes, dtype=torch.float64)
        self.add_state("samples", samples, dist_reduce_fx="sum", persistent=True)

    @property
    def assigned(self) -> bool:
        """Whether any response was seen, so that there are labels."""
        return self.responses.shape[1] > 0

    @override
    @torch.no_grad()
    def update(self, responses: Tensor, labels: Tensor) -> None:
        """Add what neurons answered to samples.

        Args:
            responses: Such as spike counts, ``(batch, neurons)`` [1].
            labels: Classes of the samples, ``(batch,)`` [1].
        """
        self._check(responses)
        if labels.shape != responses.shape[:1]:
            raise ValueError(
                f"Expected `labels` of shape (batch,) = ({len(responses)},), one class per row of `responses`, got "
                f"{tuple(labels.shape)}."
            )
        if len(labels) and not (labels.min() >= 0 and labels.max() < self.num_classes):
            raise ValueError(
                f"Expected `labels` to be from 0 to {self.num_classes - 1}, as `num_classes` = {self.num_classes}, got "
                f"values from {int(labels.min())} to {int(labels.max())}."
            )
        if not torch.isfinite(responses).all() or (self.proportional and bool((responses < 0).any())):
            kind = "not negative, where they are weighed by proportions" if self.proportional else "finite"
            raise ValueError(f"Expected `responses` to be {kind} [1], got others. Count spikes: `decode=spike_count`.")
        of_class = F.one_hot(labels.long(), self.num_classes).to(self.samples.dtype)
        added = of_class.T @ responses.detach().to(self.responses.dtype)
        self.responses = self.responses + added if self.assigned else added
        self.samples = self.samples + of_class.sum(0)

    @override
    def compute(self) -> Tensor:
        """Return the label of each neuron, -1 for one that never responded; warn of a class that never occurred."""
        rates = self._rates()
        self.warn_of_missing()
        return self._labels(rates)

    def warn_of_missing(self) -> None:
        """Warn of classes that never occurred."""
        if missing := [str(label) for label, count in enumerate(self.samples.tolist()) if count == 0]:
            warnings.warn(
                f"No sample of class {', '.join(missing)} was seen: no neuron has that label, and nothing will be "
                "taken for it. Assign labels on data of all classes, or lower `num_classes`.",
                stacklevel=2,
            )

    def scores(self, responses: Tensor) -> Tensor:
        """Return how much speaks for each class; a class that no neuron stands for is below all others.

        Args:
            responses: ``(batch, neurons)`` [1].

        Returns:
            Scores, ``(batch, classes)`` [1].
        """
        rates = self._rates()
        self._check(responses)
        labels = self._labels(rates)
        members = F.one_hot(labels.clamp(min=0), self.num_classes).to(rates) * (labels >= 0).to(rates)[:, None]
        count = members.sum(0)
        if self.proportional:
            members = members * (rates / rates.sum(0).clamp(min=torch.finfo(rates.dtype).tiny)).T
        scores = responses.to(rates) @ (members / count.clamp(min=1))
        there = count > 0
        lowest = scores[:, there].amin(1, keepdim=True) - 1 if there.any() else scores[:, :1] - 1
        dtype = responses.dtype if responses.is_floating_point() else torch.get_default_dtype()
        return torch.where(there, scores, lowest).to(dtype)

    @torch.no_grad()
    def take_over(self, other: "LabelAssignment") -> None:
        """Take the labels of another, of all processes together, in place of one's own.

        Args:
            other: What has been adding up responses.
        """
        with other.sync_context():
            self.responses, self.samples = other.responses.clone(), other.samples.clone()
        self._seen()

    def _rates(self) -> Tensor:
        if not self.assigned:
            raise ValueError(
                "Expected responses to assign labels by, got none yet. Train first, or call "
                "`update(responses, labels)` with those to training data."
            )
        return self.responses / self.samples.clamp(min=1)[:, None]

    def _labels(self, rates: Tensor) -> Tensor:
        seen = torch.where(self.samples[:, None] > 0, rates, -torch.inf)  # a class that never occurred is nobody's
        return torch.where((rates == 0).all(0), -1, seen.argmax(0))

    def _check(self, responses: Tensor) -> None:
        if responses.dim() != 2 or (self.assigned and responses.shape[1] != self.responses.shape[1]):
            known = f", {self.responses.shape[1]} of them as before" if self.assigned else ""
            raise ValueError(
                f"Expected `responses` of shape (batch, neurons){known}, got {tuple(responses.shape)}. "
                "An output sequence (time, batch, neurons) becomes that by `spike_count`."
            )

    def _seen(self) -> None:
        """Tell torchmetrics that there is something to compute, and that it is new."""
        self._computed, self._update_count = None, int(self.assigned)

    @override
    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._seen()

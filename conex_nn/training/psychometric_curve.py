"""How choices depend on evidence."""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torchmetrics import Metric
from typing_extensions import override

__all__ = ["Psychometric", "PsychometricCurve"]


class Psychometric(NamedTuple):
    """A psychometric curve: what was counted, and a logistic function fitted to it."""

    evidence: Float[Tensor, " levels"]
    """Each strength of evidence that there was, from the lowest."""
    share: Float[Tensor, " levels"]
    """Share of samples in which the positive choice was made [1]."""
    count: Int64[Tensor, " levels"]
    """Samples in which either choice was made [1]."""
    bias: Float[Tensor, ""]
    """Evidence at which both choices are as likely, in its unit."""
    slope: Float[Tensor, ""]
    """Slope of the log odds, per unit of evidence."""
    threshold: Float[Tensor, ""]
    """Evidence beyond the bias at which three of four choices are the positive one, ``log(3) / slope``."""
    undecided: Int64[Tensor, ""]
    """Samples in which neither choice was made [1]."""


class PsychometricCurve(Metric):
    r"""Collect choices by evidence, and fit :math:`p = 1 / (1 + \exp(-s (c - b)))` by maximum likelihood.

    Every value of the evidence is a point of the curve; samples whose evidence is NaN are left out. Where all choices
    are the same, nothing can be fitted, and bias, slope and threshold are NaN.

    Args:
        negative: Class that negative evidence speaks for [1].
        positive: Class that positive evidence speaks for [1].

    Raises:
        ValueError: Both the same, or a negative number.

    Example:
        >>> curve = PsychometricCurve(negative=1, positive=2)
        >>> curve.update(torch.tensor([1, 1, 2, 1, 2, 2]), torch.tensor([-0.1, -0.1, -0.1, 0.1, 0.1, 0.1]))
        >>> found = curve.compute()
        >>> found.share
        tensor([0.3333, 0.6667])
        >>> found.slope  # log(2) at 0.1
        tensor(6.93...)

    References:
        Song, Yang and Wang, PLOS Computational Biology 12 (2016), e1004792, figure 2, with a cumulative Gaussian.
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    _evidence: Any
    _chosen: Any

    def __init__(self, *, negative: int = 1, positive: int = 2) -> None:
        super().__init__()
        if negative == positive or min(negative, positive) < 0:
            raise ValueError(
                "Expected `negative` and `positive` to be two different classes from 0 [1], "
                f"got {negative} and {positive}."
            )
        self.negative = negative
        self.positive = positive
        self.add_state("_evidence", [], dist_reduce_fx="cat")
        self.add_state("_chosen", [], dist_reduce_fx="cat")

    @override
    def update(self, choices: Int64[Tensor, " batch"], evidence: Tensor) -> None:
        """Add a batch.

        Args:
            choices: Class chosen in each sample, see :func:`choices`.
            evidence: Signed evidence of each sample, ``(batch,)``.

        Raises:
            ValueError: Shapes that do not fit.
        """
        if choices.dim() != 1 or choices.shape != evidence.shape:
            raise ValueError(
                f"Expected `choices` and `evidence` as (batch,), got shapes {tuple(choices.shape)} and "
                f"{tuple(evidence.shape)}."
            )
        evidence = evidence.detach().float()
        known = ~evidence.isnan()
        self._evidence.append(evidence[known])
        self._chosen.append(choices.detach()[known])

    @override
    def compute(self) -> Psychometric:
        """Return the curve."""
        evidence, chosen = (
            torch.cat(part) if isinstance(part, list) else part for part in (self._evidence, self._chosen)
        )
        evidence, chosen = evidence.cpu(), chosen.cpu()
        decided = (chosen == self.positive) | (chosen == self.negative)
        levels, place = evidence[decided].unique(return_inverse=True)
        count = place.bincount(minlength=len(levels))
        positive = place[chosen[decided] == self.positive].bincount(minlength=len(levels))
        bias, slope = _fit(levels, positive, count)
        return Psychometric(
            evidence=levels,
            share=positive / count,
            count=count,
            bias=torch.tensor(bias),
            slope=torch.tensor(slope),
            threshold=torch.tensor(math.log(3) / slope if slope else math.inf),
            undecided=(~decided).sum(),
        )


def _fit(levels: Tensor, positive: Tensor, count: Tensor) -> tuple[float, float]:
    """Return bias and slope of the most likely logistic function."""
    total = int(positive.sum())
    if total in (0, int(count.sum())) or len(levels) < 2:
        return math.nan, math.nan
    from sklearn.linear_model import LogisticRegression  # at the end of a test only: it takes a while to import

    scale = float(levels.abs().max())
    inputs = (levels / scale).double().repeat(2).unsqueeze(1).numpy()
    chosen = torch.cat([torch.ones_like(levels), torch.zeros_like(levels)]).numpy()
    samples = torch.cat([positive, count - positive]).double().numpy()
    # The slight penalty keeps the slope finite where every choice is right.
    model: Any = LogisticRegression(C=1e4, tol=1e-8, max_iter=10000).fit(inputs, chosen, sample_weight=samples)
    slope = float(model.coef_[0, 0])
    return (-float(model.intercept_[0]) / slope * scale if slope else math.nan), slope / scale

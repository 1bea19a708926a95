"""Losses of rate networks: what the task asks, and named terms that keep weights and rates within bounds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

__all__ = [
    "Connectivity",
    "Metabolic",
    "Outcome",
    "RateMagnitude",
    "RateSpread",
    "RateVariation",
    "Reconstruction",
    "TaskLoss",
    "WeightNorm",
    "WeightedLoss",
]


class Outcome(NamedTuple):
    """What a loss looks at: one run of a network on a batch."""

    net: nn.Module
    """The network."""
    output: Tensor
    """Its output, ``(time, *batch, outputs)`` [1]."""
    target: Tensor
    """What the output should have been, of its shape, or class indices ``(time, *batch)`` [1]."""
    rates: Tensor
    """Rates of all neurons, ``(time, *batch, neurons)`` [1]."""
    mask: Tensor | None = None
    """How much each time of each sample counts, ``(time, *batch)``; None for all alike [1]."""
    inputs: Tensor | None = None
    """Its input, ``(time, *batch, inputs)`` [1]."""


Term = Callable[[Outcome], Tensor]
"""A loss: a number for an outcome."""


@dataclass(frozen=True)
class TaskLoss:
    r"""The task's own loss, averaged over the times that count: :math:`\sum_t m_t\,\ell_t \big/ \sum_t m_t`.

    Args:
        loss: From output and target to one loss per time and sample, or per output, such as
            ``partial(torch.nn.functional.mse_loss, reduction="none")``. With class indices as targets,
            ``partial(torch.nn.functional.cross_entropy, reduction="none")``.

    Example:
        >>> outcome = Outcome(nn.Identity(), torch.ones(4, 1, 2), torch.zeros(4, 1, 2), torch.ones(4, 1, 5),
        ...     mask=torch.tensor([[0.0], [0.0], [1.0], [1.0]]))
        >>> TaskLoss()(outcome)
        tensor(1.)
    """

    loss: Callable[[Tensor, Tensor], Tensor] = nn.MSELoss(reduction="none")  # noqa: RUF009  it has no state

    def __call__(self, outcome: Outcome) -> Tensor:
        """Return the mean loss of an outcome [1]."""
        output, target = outcome.output, outcome.target
        expected = output.shape if target.is_floating_point() else output.shape[:-1]
        if target.shape != expected:
            raise ValueError(f"Expected `target` of shape {tuple(expected)}, got {tuple(target.shape)}.")
        flat = output.flatten(0, -2)  # torch's losses of classes have the classes on the second axis
        losses = self.loss(flat, target.flatten(0, -2) if target.is_floating_point() else target.flatten())
        if losses.shape not in (flat.shape[:1], flat.shape):
            raise ValueError(
                f"Expected `loss` to return one loss per time and sample, {len(flat)} of them, or per output, got "
                f'shape {tuple(losses.shape)}. Give it `reduction="none"`.'
            )
        losses = (losses.mean(-1) if losses.dim() == 2 else losses).reshape(output.shape[:-1])
        if outcome.mask is None:
            return losses.mean()
        if outcome.mask.shape != losses.shape:
            raise ValueError(
                f"Expected `mask` of shape {tuple(losses.shape)} (time, *batch), got {tuple(outcome.mask.shape)}."
            )
        return (losses * outcome.mask).sum() / outcome.mask.sum().clamp(min=torch.finfo(losses.dtype).tiny)


@dataclass(frozen=True)
class WeightNorm:
    r"""Mean square of the weights of a layer, as they are in force: :math:`\sum_{ij} w_{ij}^2 / (n_i n_j)`.

    Args:
        layer: Its path in the network, such as ``"recurrent"``.

    Example:
        >>> net = nn.ModuleDict({"recurrent": nn.Linear(2, 2)})
        >>> _ = nn.init.constant_(net["recurrent"].weight, 3.0)
        >>> WeightNorm("recurrent")(Outcome(net, *[torch.zeros(1, 1, 1)] * 3))
        tensor(9., grad_fn=<MeanBackward0>)
    """

    layer: str

    def __call__(self, outcome: Outcome) -> Tensor:
        """Return the mean square [1]."""
        return _weight(outcome, self.layer).square().mean()


@dataclass(frozen=True)
class Connectivity:
    r"""Distance from a connectivity, of the squared Frobenius norm: :math:`\|W - W^*\|_F^2`.

    Args:
        goal: The connectivity, of the weight's shape; None for 0, which draws all weights to 0 [1].
        layer: Path of the layer.

    Example:
        >>> net = nn.ModuleDict({"recurrent": nn.Linear(2, 2)})
        >>> _ = nn.init.constant_(net["recurrent"].weight, 3.0)
        >>> Connectivity(torch.ones(2, 2))(Outcome(net, *[torch.zeros(1, 1, 1)] * 3))
        tensor(16., grad_fn=<SumBackward0>)
    """

    goal: Tensor | None = None
    layer: str = "recurrent"

    def __call__(self, outcome: Outcome) -> Tensor:
        """Return the squared distance [1]."""
        weight = _weight(outcome, self.layer)
        if self.goal is None:
            return weight.square().sum()
        if self.goal.shape != weight.shape:
            raise ValueError(f"Expected `goal` of shape {tuple(weight.shape)}, got {tuple(self.goal.shape)}.")
        return (weight - self.goal.to(weight)).square().sum()


@dataclass(frozen=True)
class RateMagnitude:
    r"""Mean square of the rates: :math:`\langle r_{tbn}^2 \rangle_{tbn}`.

    Example:
        >>> RateMagnitude()(Outcome(nn.Identity(), *[torch.full((3, 1, 2), 2.0)] * 3))
        tensor(4.)
    """

    def __call__(self, outcome: Outcome) -> Tensor:
        """Return the mean square [1]."""
        return outcome.rates.square().mean()


@dataclass(frozen=True)
class RateSpread:
    r"""How much neurons differ: :math:`\operatorname{Var}_n \langle r_{tbn} \rangle_{tb}`.

    Example:
        >>> rates = torch.tensor([0.0, 2.0]).expand(3, 1, 2)
        >>> RateSpread()(Outcome(nn.Identity(), rates, rates, rates))
        tensor(1.)
    """

    def __call__(self, outcome: Outcome) -> Tensor:
        """Return the variance over neurons of their mean rates [1]."""
        return outcome.rates.flatten(0, -2).mean(0).var(correction=0)


@dataclass(frozen=True)
class RateVariation:
    r"""Coefficient of variation over neurons of their mean activity :math:`a_n = \langle |r_{tbn}| \rangle_{tb}`.

    .. math:: \operatorname{sd}_n(a_n) \big/ \langle a_n \rangle_n

    Args:
        epsilon: Added to the mean, so that a silent network has none [1].

    Example:
        >>> rates = torch.tensor([1.0, 3.0]).expand(3, 1, 2)
        >>> RateVariation()(Outcome(nn.Identity(), rates, rates, rates))
        tensor(0.5000)
    """

    epsilon: float = 1e-8

    def __call__(self, outcome: Outcome) -> Tensor:
        """Return the coefficient [1]."""
        mean = outcome.rates.abs().flatten(0, -2).mean(0)
        spread = (mean.var(correction=0) + self.epsilon**2).sqrt()  # of a root, the slope at 0 would be infinite
        return spread / (mean.mean() + self.epsilon)


@dataclass(frozen=True)
class Metabolic:
    r"""Cost of the currents that synapses carry: :math:`\langle \sum_{ij} |w_{ij}|\,|r_{tbj}| \rangle_{tb} / n`.

    Args:
        layer: Path of the layer whose synapses cost.

    Example:
        >>> net = nn.ModuleDict({"recurrent": nn.Linear(2, 2)})
        >>> _ = nn.init.constant_(net["recurrent"].weight, -0.5)
        >>> rates = torch.tensor([1.0, 3.0]).expand(3, 1, 2)
        >>> Metabolic()(Outcome(net, rates, rates, rates))
        tensor(2., grad_fn=<DivBackward0>)

    References:
        Attwell and Laughlin, Journal of Cerebral Blood Flow and Metabolism 21 (2001): most of the energy goes into
        synaptic transmission.
    """

    layer: str = "recurrent"

    def __call__(self, outcome: Outcome) -> Tensor:
        """Return the cost per target neuron [1]."""
        weight = _weight(outcome, self.layer).abs()
        if weight.shape[-1] != outcome.rates.shape[-1]:
            raise ValueError(
                f"Expected `layer` to be one of synapses from the {outcome.rates.shape[-1]} neurons whose rates there "
                f"are, got {self.layer!r} with a weight of shape {tuple(weight.shape)} (post, pre)."
            )
        return (weight.sum(0) * outcome.rates.abs().flatten(0, -2).mean(0)).sum() / len(weight)


class Reconstruction(nn.Module):
    r"""How well a linear map from the rates gives the input back: :math:`\langle (u_t - D r_t - d)^2 \rangle`.

    It has parameters of its own, ``D`` and ``d``: give them to the optimizer.

    Args:
        neurons: Number of neurons.
        inputs: Number of inputs.

    Example:
        >>> outcome = Outcome(nn.Identity(), *[torch.ones(3, 1, 2)] * 3, inputs=torch.ones(3, 1, 4))
        >>> Reconstruction(2, 4)(outcome).shape
        torch.Size([])
    """

    def __init__(self, neurons: int, inputs: int) -> None:
        super().__init__()
        self.decoder = nn.Linear(neurons, inputs)

    @override
    def forward(self, outcome: Outcome) -> Tensor:
        """Return the mean squared error [1]."""
        if outcome.inputs is None:
            raise ValueError("Expected an outcome with `inputs` to reconstruct, got None.")
        if outcome.inputs.shape[-1] != self.decoder.out_features:
            raise ValueError(
                f"Expected `inputs` of {self.decoder.out_features} features to reconstruct, got shape "
                f"{tuple(outcome.inputs.shape)}."
            )
        return (outcome.inputs - self.decoder(outcome.rates)).square().mean()


class WeightedLoss(nn.Module):
    r"""A weighted sum of named terms, :math:`\sum_k \lambda_k L_k`, that reports every one.

    Args:
        terms: Each term by its name: any callable on an :class:`Outcome`.
        weights: Each term's weight, by the same names [1].

    Raises:
        ValueError: A term without a weight, a weight without a term, a weight that is not finite, no term.

    Example:
        >>> loss = WeightedLoss({"task": TaskLoss(), "rates": RateMagnitude()}, {"task": 1.0, "rates": 0.01})
        >>> ones = torch.ones(3, 1, 2)
        >>> total, terms = loss(Outcome(nn.Identity(), ones, 0 * ones, 2 * ones))
        >>> total, terms
        (tensor(1.0400), {'task': tensor(1.), 'rates': tensor(4.)})
    """

    def __init__(self, terms: Mapping[str, Term], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("Expected `terms` with at least one term, such as TaskLoss(), got none.")
        if lacking := set(terms) - set(weights):
            raise ValueError(f"Expected a weight for each term [1], got none for {', '.join(sorted(lacking))}.")
        if unknown := set(weights) - set(terms):
            raise ValueError(f"Expected `weights` of terms there are, got one for {', '.join(sorted(unknown))}.")
        for name, value in weights.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
                raise ValueError(f"Expected the weight of {name!r} to be a finite number [1], got {value!r}.")
        self.terms = dict(terms)
        self.weights = {name: float(weights[name]) for name in terms}
        self.parts = nn.ModuleDict({name: term for name, term in terms.items() if isinstance(term, nn.Module)})

    @override
    def forward(self, outcome: Outcome) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum, with its gradient, and every term without its weight and without a gradient.

        Args:
            outcome: What the network did.
        """
        values = {name: term(outcome) for name, term in self.terms.items()}
        total = torch.stack([self.weights[name] * value for name, value in values.items()]).sum()
        return total, {name: value.detach() for name, value in values.items()}

    @override
    def extra_repr(self) -> str:
        return ", ".join(f"{value:g} {name}" for name, value in self.weights.items())


def _weight(outcome: Outcome, layer: str) -> Tensor:
    """Return the weights in force of a layer."""
    try:
        return outcome.net.get_submodule(layer).weight  # pyright: ignore[reportReturnType]
    except AttributeError as error:
        raise ValueError(f"Expected `layer` to be the path of a layer with a weight, got {layer!r}.") from error

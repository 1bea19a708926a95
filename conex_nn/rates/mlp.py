"""The feed-forward counterpart of the rate network, with the same constraints."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.parameters import register
from conex_nn.rates.activation import Activation, checked_activation
from conex_nn.rates.constrain import How
from conex_nn.rates.constraint import Constraint
from conex_nn.rates.layer import Init, make_layer, warn_of_silent

__all__ = ["MLP"]


class MLP(nn.Module):
    r"""Layers of rate neurons without time: :math:`r_l = f(W_l r_{l-1} + b_l)`, the last layer without :math:`f`.

    Args:
        sizes: Number of inputs, of neurons of each layer, of outputs.
        activation: From ``v`` to rates: any callable on tensors.
        noise: Spread of the noise before the activation, in ``train()`` only [1].
        rate_noise: Spread of the noise after the activation, in ``train()`` only [1].
        bias: Whether the layers have biases.
        constraints: What the weights of a layer have to obey, by its number from 0.
        how: Whether constraints are kept by a parametrization or by projection; see :func:`constrain`.
        init: What fills the weights of a layer, by its number, as ``recurrent_init`` of :class:`CTRNN`.

    Raises:
        TypeError: An activation that is no callable on tensors.
        ValueError: Fewer than two sizes, a layer that there is not, a constraint that does not fit.

    Warns:
        UserWarning: Neurons that nothing reaches, by their layer and index.

    Example:
        >>> from conex_nn.rates import Dale, ei_signs
        >>> net = MLP([4, 10, 2], constraints={1: [Dale(ei_signs(10))]})
        >>> output, rates = net(torch.rand(5, 4))
        >>> output.shape, [layer.shape for layer in rates]
        (torch.Size([5, 2]), [torch.Size([5, 10])])
    """

    noise: Tensor
    rate_noise: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: Activation = torch.relu,
        noise: float = 0.0,
        rate_noise: float = 0.0,
        bias: bool = True,
        constraints: Mapping[int, Iterable[Constraint]] | None = None,
        how: How = "parametrize",
        init: Mapping[int, Init] | None = None,
    ) -> None:
        super().__init__()
        if len(sizes) < 2:
            raise ValueError(f"Expected `sizes` of at least two: inputs and outputs, got {list(sizes)}.")
        constraints, init = dict(constraints or {}), dict(init or {})
        if unknown := (set(constraints) | set(init)) - set(range(len(sizes) - 1)):
            raise ValueError(f"Expected layers from 0 to {len(sizes) - 2}, got {sorted(unknown)}.")
        self.layers = nn.ModuleList(
            make_layer(f"layer {i}", pre, post, bias, constraints.get(i, ()), how, init.get(i))
            for i, (pre, post) in enumerate(itertools.pairwise(sizes))
        )
        for i, layer in enumerate(self.layers):
            warn_of_silent(f"of layer {i}, neuron", layer)  # pyright: ignore[reportArgumentType]
        self.activation = checked_activation(activation, sizes[1])
        register(self, "noise", noise, unit="1", not_negative=True)
        register(self, "rate_noise", rate_noise, unit="1", not_negative=True)

    @override
    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute output and rates.

        Args:
            x: Input, ``(*batch, inputs)`` [1].

        Returns:
            Output ``(*batch, outputs)``, and the rates of each hidden layer.

        Raises:
            ValueError: An input of another number of features.
        """
        expected = self.layers[0].in_features
        if x.shape[-1] != expected:
            raise ValueError(f"Expected an input of {expected} features, (*batch, features), got {tuple(x.shape)}.")
        rates = []
        for layer in self.layers[:-1]:
            v = layer(x)
            if self.training:
                v = v + self.noise * torch.randn_like(v)
            x = self.activation(v)
            if self.training:
                x = x + self.rate_noise * torch.randn_like(x)
            rates.append(x)
        return self.layers[-1](x), rates

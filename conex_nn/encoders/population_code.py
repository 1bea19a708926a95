"""Population coding: a number as the response of neurons with overlapping receptive fields."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_count, check_positive


class PopulationCode(nn.Module):
    r"""Encode each number as the responses of neurons with Gaussian receptive fields.

    Neuron :math:`i = 1, \dots, n` of a feature with values from :math:`l` to :math:`h` responds with

    .. math:: r_i = \exp\left(-\frac{(x - c_i)^2}{2 \sigma^2}\right), \qquad
       c_i = l + \frac{2i - 3}{2} \, \frac{h - l}{n - 2}, \qquad \sigma = \frac{1}{\beta} \frac{h - l}{n - 2}.

    The outermost centres lie beyond the ends. Responses are intensities in [0, 1] with an axis for the neurons behind
    the features'; an encoder behind it makes spikes of them: ``nn.Sequential(PopulationCode(8), Latency(20))``.
    Gradients pass through.

    Args:
        neurons: Neurons per feature, 3 or more [1].
        low: Lower end of the values [1], a number or one per feature (it broadcasts against the last dimensions).
        high: Upper end of the values [1], likewise.
        beta: How narrow fields are, 1 to 2 [1].

    Raises:
        ValueError: If there are fewer than 3 neurons, or an end is out of order; at its use: other features than ends.
        TypeError: If `neurons` is not an integer.

    Example:
        >>> code = PopulationCode(4)
        >>> responses = code(torch.tensor([0.0, 0.25, 1.0]))
        >>> responses.round(decimals=2)
        tensor([[0.7500, 0.7500, 0.0800, 0.0000],
                [0.3200, 1.0000, 0.3200, 0.0100],
                [0.0000, 0.0800, 0.7500, 0.7500]])
        >>> code.decode(responses)
        tensor([0.0000, 0.2500, 1.0000])

    References:
        Bohte, La Poutre and Kok, Unsupervised clustering with spiking neurons by sparse temporal coding and multilayer
        RBF networks, IEEE Transactions on Neural Networks 13 (2002), "encoding".
    """

    low: Tensor
    high: Tensor

    def __init__(
        self, neurons: int, *, low: float | Tensor = 0.0, high: float | Tensor = 1.0, beta: float = 1.5
    ) -> None:
        super().__init__()
        check_count("neurons", neurons, least=3)
        check_positive("beta", beta, unit="1")
        ends = [torch.as_tensor(end, dtype=torch.get_default_dtype()).detach().clone() for end in (low, high)]
        if not bool((ends[0] < ends[1]).all() and torch.isfinite(ends[1] - ends[0]).all()):
            raise ValueError(f"Expected `low` to be below `high`, both finite [1], got {low} and {high}.")
        self.neurons = neurons
        self.beta = beta
        self.register_buffer("low", ends[0])
        self.register_buffer("high", ends[1])

    @classmethod
    def fit(cls, x: Float[Tensor, " samples *features"], neurons: int, *, beta: float = 1.5) -> "PopulationCode":
        """Make a code for the range that each feature has in some samples.

        Args:
            x: Samples, those for training only [1].
            neurons: Neurons per feature, 3 or more [1].
            beta: How narrow fields are, 1 to 2 [1].

        Returns:
            The code.

        Raises:
            ValueError: If a feature has the same value in all samples.

        Example:
            >>> PopulationCode.fit(torch.tensor([[1.0, 20.0], [3.0, 10.0]]), 5).high
            tensor([ 3., 20.])
        """
        low, high = x.amin(0), x.amax(0)
        if bool((low == high).any()):
            raise ValueError(
                "Expected every feature of `x` to vary, got one of the same value in all samples. Drop it."
            )
        return cls(neurons, low=low, high=high, beta=beta)

    @property
    def centres(self) -> Float[Tensor, "*features neurons"]:
        """Values to which neurons respond most [1]."""
        place = (2 * torch.arange(1, self.neurons + 1, device=self.low.device) - 3) / 2
        return self.low.unsqueeze(-1) + place * self._spacing.unsqueeze(-1)

    @property
    def _spacing(self) -> Tensor:
        return (self.high - self.low) / (self.neurons - 2)

    @override
    def forward(self, x: Shaped[Tensor, "*features"]) -> Float[Tensor, "*features {self.neurons}"]:
        if not isinstance(x, Tensor):
            raise TypeError(f"Expected `x` to be a tensor, got {type(x).__name__}.")
        if not x.dtype.is_floating_point:
            raise TypeError(f"Expected `x` to be of a floating type, got {x.dtype}. Spikes are not encoded again.")
        ends = self._spacing.shape
        if len(ends) > x.ndim or any(a not in (1, b) for a, b in zip(reversed(ends), reversed(x.shape), strict=False)):
            raise ValueError(
                f"Expected `x` to end in the {tuple(ends)} features of `low` and `high`, got {tuple(x.shape)}."
            )
        wide = x.to(torch.promote_types(x.dtype, torch.float32)).unsqueeze(-1)
        z = (wide - self.centres.to(wide)) * (self.beta / self._spacing.unsqueeze(-1)).to(wide)
        return torch.exp(-0.5 * z * z).to(x.dtype)

    def decode(self, responses: Shaped[Tensor, "*features neurons"]) -> Float[Tensor, "*features"]:
        """Find the values that fit responses best.

        A Gaussian's logarithm is a parabola: its vertex is the least-squares solution, with each neuron weighed by its
        response squared, so that noise in weak responses does not count.

        Args:
            responses: Responses or rates, of which the scale does not matter, 0 or more [1].

        Returns:
            One value per feature, between the outermost centres; NaN where nothing responds [1].

        Raises:
            ValueError: If the last dimension is not that of the neurons.

        Example:
            >>> code = PopulationCode(8, low=-5.0, high=5.0)
            >>> code.decode(0.3 * code(torch.tensor([-3.0, 0.1])))
            tensor([-3.0000,  0.1000])
        """
        if responses.shape[-1:] != (self.neurons,):
            raise ValueError(
                f"Expected `responses` to have {self.neurons} neurons in the last dimension, "
                f"got the shape {tuple(responses.shape)}."
            )
        r = responses.to(torch.promote_types(responses.dtype, torch.float32)).clamp(min=0)
        r = r / r.amax(-1, keepdim=True)
        weight = r.where(r > _FAINT, 0.0) ** 2
        # log r + z^2 / 2 is linear in the place z of the centre: its slope is the value
        place = torch.arange(self.neurons, device=r.device, dtype=r.dtype) * self.beta
        line = r.clamp(min=_FAINT).log() + 0.5 * place**2
        total = weight.sum(-1)
        mean_place, mean_line = ((weight * each).sum(-1) / total for each in (place, line))
        off = place - mean_place.unsqueeze(-1)
        spread = (weight * off**2).sum(-1)
        slope = (weight * off * (line - mean_line.unsqueeze(-1))).sum(-1) / spread
        slope = torch.where(spread > 0, slope, mean_place).clamp(0.0, (self.neurons - 1) * self.beta)
        centres = self.centres.to(r)
        return centres[..., 0] + slope / self.beta * self._spacing.to(r)

    @override
    def extra_repr(self) -> str:
        return f"neurons={self.neurons}, beta={self.beta:g}"


_FAINT = 1e-3

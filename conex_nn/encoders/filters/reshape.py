"""Changes of shape as modules, for a composition; ``torch.nn.Flatten`` and ``Unflatten`` are torch's own."""

from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override


class Unsqueeze(nn.Module):
    """Put in a dimension of size 1.

    Args:
        dim: Where; negative counts from the back, the same for a sample and a batch [1].

    Example:
        >>> Unsqueeze(-3)(torch.zeros(28, 28)).shape
        torch.Size([1, 28, 28])
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    @override
    def forward(self, x: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*longer"]:
        return x.unsqueeze(self.dim)

    @override
    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Squeeze(nn.Module):
    """Take out a dimension of size 1.

    Args:
        dim: Which; None for all of size 1 [1].

    Example:
        >>> Squeeze()(torch.zeros(1, 5, 1)).shape, Squeeze(-1)(torch.zeros(1, 5, 1)).shape
        (torch.Size([5]), torch.Size([1, 5]))
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    @override
    def forward(self, x: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shorter"]:
        if self.dim is None:
            return x.squeeze()
        if x.shape[self.dim] != 1:
            raise ValueError(f"Expected dimension {self.dim} of `x` to be of size 1, got the shape {tuple(x.shape)}.")
        return x.squeeze(self.dim)

    @override
    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class SwapAxes(nn.Module):
    """Exchange two dimensions.

    Args:
        first: One of them [1].
        second: The other [1].

    Example:
        >>> SwapAxes(-1, -2)(torch.zeros(3, 4, 5)).shape
        torch.Size([3, 5, 4])
    """

    def __init__(self, first: int, second: int) -> None:
        super().__init__()
        self.first, self.second = first, second

    @override
    def forward(self, x: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*swapped"]:
        return x.transpose(self.first, self.second)

    @override
    def extra_repr(self) -> str:
        return f"{self.first}, {self.second}"

"""One look after another, in time."""

from collections.abc import Callable

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override


class InTurn(nn.Module):
    """Encode the looks at an image one after another, each as long as the encoder makes it.

    Args:
        encoder: Maps intensities ``(*shape)`` to ``(time, *shape)``; it sees all looks at once.
        silence: Steps without input after each look [1].

    Raises:
        ValueError: If `silence` is negative; at its use: there is no look, or the encoder does not put time in front.

    Example:
        >>> from conex_nn.encoders import ConstantCurrent
        >>> looks = torch.tensor([[1.0], [0.5]])  # (looks, features)
        >>> InTurn(ConstantCurrent(time=2), silence=1)(looks).flatten()
        tensor([1.0000, 1.0000, 0.0000, 0.5000, 0.5000, 0.0000])
    """

    def __init__(self, encoder: Callable[[Tensor], Tensor], *, silence: int = 0) -> None:
        super().__init__()
        if silence < 0:
            raise ValueError(f"Expected `silence` to be 0 or more [steps], got {silence}.")
        self.encoder = encoder
        self.silence = silence

    @override
    def forward(self, x: Shaped[Tensor, " looks *shape"]) -> Shaped[Tensor, " time *shape"]:
        if x.ndim == 0 or len(x) == 0:
            raise ValueError(f"Expected `x` of shape (looks, *shape) with at least one look, got {tuple(x.shape)}.")
        if x.dtype == torch.bool:  # locations
            x = x.to(torch.get_default_dtype())
        encoded = self.encoder(x)
        if encoded.shape[1:] != x.shape:
            raise ValueError(
                f"Expected `encoder` to map {tuple(x.shape)} to (time, {', '.join(map(str, x.shape))}), got "
                f"{tuple(encoded.shape)}."
            )
        if self.silence:
            encoded = torch.cat([encoded, encoded.new_zeros(self.silence, *x.shape)])
        return encoded.transpose(0, 1).flatten(0, 1)

    @override
    def extra_repr(self) -> str:
        return f"silence={self.silence}"

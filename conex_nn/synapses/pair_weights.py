"""What lies between each pair of neurons, whatever kind of synapse connects them."""

import torch
from torch import Tensor

from conex_nn.synapses.synapse import Synapse

__all__ = ["pair_weights"]


@torch.no_grad()
def pair_weights(synapse: Synapse, *, max_pairs: int = 10_000_000) -> Tensor:
    """Return the weight between each pair of neurons, NaN where no synapse is: what a spike of a source delivers.

    It is for looking at small networks; synapses never need it themselves.

    Args:
        synapse: A synapse of any kind.
        max_pairs: Pairs of which it is made at most [1].

    Returns:
        ``(post, pre)``, neurons counted in the order of ``flatten``. Where several synapses join a pair, their sum.

    Raises:
        ValueError: More pairs than that.

    Example:
        >>> from conex_nn.synapses import Sparse
        >>> pair_weights(Sparse(3, 2, edges=([0, 2], [1, 0]), weight=torch.tensor([0.5, 0.7])))
        tensor([[   nan,    nan, 0.7000],
                [0.5000,    nan,    nan]])
    """
    n_pre, n_post = synapse.source_shape.numel(), synapse.target_shape.numel()
    if n_pre * n_post > max_pairs:
        raise ValueError(
            f"Expected at most `max_pairs` = {max_pairs:,} pairs [1], got {n_pre:,} sources and {n_post:,} targets. "
            "Look at `synapse.weight` itself."
        )
    weight = synapse.weight_in_force() if getattr(synapse, "weight", None) is not None else None
    device = "cpu" if weight is None else weight.device
    ones = None
    if weight is not None:
        ones = torch.ones_like(weight) if synapse.mask is None else synapse.mask.to(weight.dtype)
    found = []
    for some in torch.arange(n_pre, device=device).split(max(1, max_pairs // n_pre)):
        one_each = torch.zeros(len(some), n_pre, device=device, dtype=None if weight is None else weight.dtype)
        one_each = one_each.scatter_(1, some[:, None], 1).reshape(-1, *synapse.source_shape)
        current = synapse(one_each).reshape(-1, n_post)
        there = current != 0 if ones is None else synapse.project(one_each, ones).reshape(-1, n_post) != 0
        found.append(torch.where(there, current, torch.nan))
    return torch.cat(found).T

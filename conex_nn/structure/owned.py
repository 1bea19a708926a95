"""A state that shares no memory with what went in and came out."""

from collections.abc import Iterable

from torch import Tensor

from conex_nn.structure.engine import NetworkState

__all__ = ["owned"]


def owned(state: NetworkState, others: Iterable[Tensor]) -> NetworkState:
    """Return a state whose delay lines are its own: no views of inputs, outputs or whole sequences.

    Otherwise a buffer that is filled anew for each call, or an output that is changed in place, would change what is
    under way, and the end of a sequence would keep all of it in memory.

    Args:
        state: After a run.
        others: Inputs and outputs of the run.

    Example:
        >>> import torch
        >>> from conex_nn.structure.connection import ConnectionState
        >>> xs = torch.zeros(5, 2)
        >>> state = owned(NetworkState({}, {"a": ConnectionState(xs[-1:], xs[:0])}), [xs])
        >>> state.connections["a"].axon.untyped_storage().nbytes()
        8
    """
    shared = {other.untyped_storage().data_ptr() for other in others}

    def own(line: Tensor) -> Tensor:
        if line.numel() == 0 or line.is_meta:
            return line
        storage = line.untyped_storage()
        whole = storage.nbytes() > line.numel() * line.element_size()
        return line.clone() if whole or storage.data_ptr() in shared else line

    lines = {
        path: line._replace(axon=own(line.axon), dendrite=own(line.dendrite))
        for path, line in state.connections.items()
    }
    return NetworkState(state.populations, lines)

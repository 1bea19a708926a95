"""What the sources of connections have sent and what has not arrived, before a run by ring buffers and after it."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from conex_nn.kernels import Fired
from conex_nn.structure.connection import ConnectionState
from conex_nn.structure.graph import Edge

__all__ = ["histories_of", "sent_by"]


def histories_of(
    connections: Iterable[Edge], under_way: Mapping[str, ConnectionState], batch: int
) -> dict[str, Tensor] | None:
    """Return what each source sent that may be under way; None where its connections do not agree on it.

    Args:
        connections: Edges.
        under_way: State of each connection.
        batch: Number of samples [1].

    Example:
        >>> edge, sent = Edge("ab", "a", "b", 1), ConnectionState(torch.ones(2, 3), torch.zeros(0, 3))
        >>> histories_of([edge], {"ab": sent}, 1)["a"].shape
        torch.Size([2, 1, 3])
    """
    longest: dict[str, Tensor] = {}
    for edge in sorted(connections, key=lambda each: -len(under_way[each.name].axon)):
        axon = under_way[edge.name].axon
        known = longest.setdefault(edge.source, axon)
        tail = known[len(known) - len(axon) :]
        if tail.data_ptr() != axon.data_ptr() and not torch.equal(tail, axon):
            return None
    return {path: _lined(axon, batch) for path, axon in longest.items()}


def sent_by(
    edges: Iterable[Edge],
    under_way: Mapping[str, ConnectionState],
    histories: Mapping[str, Tensor],
    fired: Mapping[str, Fired],
    sequences: Mapping[str, Tensor],
    *,
    steps: int,
    batch: int,
) -> dict[str, ConnectionState]:
    """Return what is under way in each connection after a run.

    Args:
        edges: The connections.
        under_way: Their state before it.
        histories: What each source had sent before it; others have sent nothing that is told of here.
        fired: Who fired in it, by population.
        sequences: Spikes of populations before, of the other sources.
        steps: Number of steps [1].
        batch: Number of samples [1].

    Example:
        >>> edge, before = Edge("ab", "a", "b", 1), ConnectionState(torch.zeros(2, 3), torch.zeros(0, 3))
        >>> here = Fired(torch.tensor([3]), torch.tensor([0]), torch.tensor([1]))
        >>> histories = {"a": before.axon[:, None]}
        >>> sent_by([edge], {"ab": before}, histories, {"a": here}, {}, steps=4, batch=1)["ab"].axon
        tensor([[0., 0., 0.],
                [0., 1., 0.]])
    """

    def tail(path: str, history: Tensor) -> Tensor:
        kept = len(history)
        if path not in fired:
            spikes = sequences[path].reshape(steps, *history.shape[1:]).to(history.dtype)
            return torch.cat([history, spikes[-kept:]])[-kept:] if kept else history
        after = history.new_zeros(kept, *history.shape[1:])
        if steps < kept:
            after[: kept - steps] = history[steps:]
        step, sample, neuron, _ = fired[path]
        last = step >= steps - kept
        step, sample, neuron = (each[last].long() for each in (step, sample, neuron))
        after[step + kept - steps, sample, neuron] = 1
        return after

    tails, sent = {path: tail(path, history) for path, history in histories.items()}, {}
    lines: dict[tuple[str, int], Tensor] = {}  # connections of one source and length share a line
    for edge in edges:
        state = under_way[edge.name]
        if edge.source in histories:
            whole, kept = tails[edge.source], len(state.axon)
            if (edge.source, kept) not in lines:
                lines[edge.source, kept] = whole if kept == len(whole) else whole[len(whole) - kept :].clone()
            axon = lines[edge.source, kept]
        else:
            axon = tail(edge.source, _lined(state.axon, batch))
        sent[edge.name] = state._replace(axon=axon.reshape(state.axon.shape))
    return sent


def _lined(axon: Tensor, batch: int) -> Tensor:
    """Return what is under way with one batch axis and one of neurons; it may be of no step at all."""
    return axon.reshape(len(axon), batch, axon.shape[1:].numel() // batch)

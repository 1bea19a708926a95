"""Synapses between a few of all pairs of neurons, kept as a list of edges."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.synapses.check_edges import check_delay, check_edges, count_edges, require_one
from conex_nn.synapses.draw_edges import draw_edges
from conex_nn.synapses.initial_weight import Initialiser, initial_weight
from conex_nn.synapses.sparse_product import sparse_backproject, sparse_hebbian, sparse_project
from conex_nn.synapses.synapse import Synapse, leading_axes
from conex_nn.synapses.wiring import Part, Wiring, index_edges, part_of

__all__ = ["Sparse"]


class Sparse(Synapse):
    r"""Synapses on the edges of a graph: :math:`I_j = \sum_{e: i \to j} w_e s_i`. Nothing dense is ever made.

    The graph is drawn, or given as ``edges``. Buffers ``source`` and ``target`` hold the neurons of every edge, counted
    in the order of ``flatten`` and sorted by source and then by target; the edges of source i are those from
    ``indptr[i]`` up to ``indptr[i + 1]``. A delay is kept for the connection that applies it; the synapse itself
    projects spikes at once.

    Args:
        source_shape: Shape of the population that sends.
        target_shape: Shape of the population that receives.
        density: Part of all pairs that are connected [1]; the number of edges is exactly that, rounded.
        in_degree: How many sources each target has.
        out_degree: How many targets each source has.
        edges: Source and target of every edge, with repetitions if wanted (each a synapse of its own).
        self_connections: False allows none between neurons of the same index.
        delay: Delay of every edge, one number for all or one per edge [steps].
        init: Fills the weight ``(edges,)``; default uniform within 1/sqrt(mean number of sources of a target).
        weight: Its values, in place of ``init``; with ``edges`` in their order, as is ``delay``.
        generator: Draws the edges and the default weight.
        device: Where to draw and keep them; default that of the generator.

    Raises:
        TypeError: A delay or edges that are no whole numbers.
        ValueError: Not exactly one of ``density``, ``in_degree``, ``out_degree`` and ``edges``, or one out of range.

    Example:
        >>> synapse = Sparse(4, 2, edges=([0, 1, 3], [1, 0, 1]), weight=torch.tensor([1.0, 2.0, 3.0]))
        >>> synapse(torch.ones(4))
        tensor([2., 4.], grad_fn=<...>)
        >>> Sparse(1000, (10, 10), in_degree=20)
        Sparse(1000 -> (10, 10), 2000 weights)
    """

    source: Tensor
    target: Tensor
    indptr: Tensor
    by_target: Tensor
    target_indptr: Tensor
    source_by_target: Tensor
    delay: Tensor | None

    def __init__(
        self,
        source_shape: int | Sequence[int],
        target_shape: int | Sequence[int],
        *,
        density: float | None = None,
        in_degree: int | None = None,
        out_degree: int | None = None,
        edges: tuple[Tensor | Sequence[int], Tensor | Sequence[int]] | None = None,
        self_connections: bool = True,
        delay: int | Tensor | None = None,
        init: Initialiser | None = None,
        weight: Tensor | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(source_shape, target_shape)
        self.init, self.self_connections = init, self_connections
        self.density, self.in_degree, self.out_degree = density, in_degree, out_degree
        sizes = (self.source_shape.numel(), self.target_shape.numel())
        require_one(density=density, in_degree=in_degree, out_degree=out_degree, edges=edges)
        if not self_connections and self.source_shape != self.target_shape:
            raise ValueError(
                "Expected `self_connections=False` only between populations of one shape, got "
                f"{tuple(self.source_shape)} and {tuple(self.target_shape)}."
            )
        place, order = _place(device, generator), None
        if edges is not None:
            source, target = check_edges(edges, sizes, self_connections=self_connections, device=place)
            order = torch.argsort(source * sizes[1] + target, stable=True)
            source, target = source[order], target[order]
            if isinstance(weight, Tensor) and weight.shape == order.shape:
                weight = weight[order.to(weight.device)]
        else:
            number = count_edges(sizes, density, in_degree, out_degree, self_connections=self_connections)
            if place.type == "meta":  # nothing can be drawn there; the edges come with load_state_dict
                source = target = torch.empty(number, dtype=torch.long, device=place)
            else:
                source, target = draw_edges(
                    *sizes,
                    edges=None if density is None else number,
                    in_degree=in_degree,
                    out_degree=out_degree,
                    self_connections=self_connections,
                    generator=generator,
                    device=place,
                )
        self._index(source.int(), target.int())
        self.register_buffer("delay", check_delay(delay, len(source), order, place))
        self.weight = initial_weight(
            (len(source),),
            init=init,
            weight=weight,
            fan_in=len(source) / sizes[1],
            device=place,
            generator=None if place.type == "meta" else generator,
        )
        self.register_load_state_dict_post_hook(_index_again)

    def _index(self, source: Tensor, target: Tensor) -> None:
        sizes = {"n_source": self.source_shape.numel(), "n_target": self.target_shape.numel()}
        if source.is_meta:
            starts = [source.new_empty(size + 1) for size in sizes.values()]
            wiring = Wiring(source, target, starts[0], source, starts[1], source)
        else:
            wiring = index_edges(source, target, **sizes)
        for name, index in wiring._asdict().items():
            self.register_buffer(name, index, persistent=name in ("source", "target"))

    def wiring(self) -> Wiring:
        """Return the index of all edges by source and by target."""
        return Wiring(*(getattr(self, name) for name in Wiring._fields))

    def part(self, edges: Tensor) -> Part:
        """Return an index of some edges, for many calls of ``project`` and the like: making it takes a pass over all.

        Args:
            edges: Which edges; as a set: order and repetitions do not matter.
        """
        return part_of(self.wiring(), edges)

    def taps(self) -> list[tuple[int, Tensor]]:
        """Return each distinct delay [steps] and the edges that have it, shortest delay first."""
        if self.delay is None:
            return [(0, torch.arange(len(self.source), device=self.source.device))]
        return [(delay, (self.delay == delay).nonzero().flatten()) for delay in self.delay.unique().tolist()]

    @override
    def project(self, spikes: Tensor, weight: Tensor, edges: Tensor | Part | None = None) -> Tensor:
        """Return the currents that spikes cause through a weight.

        Args:
            spikes: ``(*lead, *source_shape)`` [1].
            weight: A value for every edge.
            edges: Which edges to send them along, or their :meth:`part`; default all.

        Returns:
            Currents, ``(*lead, *target_shape)`` [nA]; they can be differentiated once.
        """
        lead = spikes.shape[: spikes.dim() - len(self.source_shape)]
        weight, wiring = self._among(weight, edges)
        current = sparse_project(spikes.reshape(-1, self.source_shape.numel()), weight, wiring)
        return current.reshape(*lead, *self.target_shape)

    @override
    @torch.no_grad()
    def hebbian(self, pre: Tensor, post: Tensor, edges: Tensor | Part | None = None) -> Tensor:
        """Return what every edge sees of its two sides, summed over all leading axes, see :meth:`Synapse.hebbian`.

        Args:
            pre: ``(*lead, *source_shape)``.
            post: ``(*lead, *target_shape)``.
            edges: Which edges; the others get 0. Default all.
        """
        self._check_pair(pre, post)
        flat = pre.reshape(-1, self.source_shape.numel()), post.reshape(-1, self.target_shape.numel())
        if edges is None:
            return sparse_hebbian(*flat, self.wiring())
        part = edges if isinstance(edges, Part) else self.part(edges)
        product = sparse_hebbian(*flat, part.wiring)
        return product.new_zeros(len(self.source)).index_copy_(0, part.edges, product)

    @override
    @torch.no_grad()
    def backproject(self, grad: Tensor, weight: Tensor, edges: Tensor | Part | None = None) -> Tensor:
        """Return what reaches the spikes of a gradient of the currents, see :meth:`Synapse.backproject`.

        Args:
            grad: ``(*lead, *target_shape)``.
            weight: A value for every edge.
            edges: Which edges; default all.
        """
        lead = leading_axes(grad, self.target_shape, name="grad")
        weight, wiring = self._among(weight, edges)
        spikes = sparse_backproject(grad.reshape(-1, self.target_shape.numel()), weight, wiring)
        return spikes.reshape(*lead, *self.source_shape)

    def _among(self, weight: Tensor, edges: Tensor | Part | None) -> tuple[Tensor, Wiring]:
        if edges is None:
            return weight, self.wiring()
        part = edges if isinstance(edges, Part) else self.part(edges)
        return weight[part.edges], part.wiring


def _index_again(module: nn.Module, _: Any) -> None:
    """Index the edges that a state_dict brought."""
    if isinstance(module, Sparse):
        module._index(module.source, module.target)


def _place(device: torch.device | str | None, generator: torch.Generator | None) -> torch.device:
    default = torch.empty(0).device
    if device is not None:
        return torch.device(device)
    return default if generator is None or default.type == "meta" else generator.device

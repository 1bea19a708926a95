"""Synapses between a few of all pairs of neurons, kept as a list of edges."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.kernels.draw import narrow_index
from conex_nn.memory import require_free
from conex_nn.synapses.check_edges import AMOUNTS, check_delay, check_edges, count_edges, draw_delay, require_one
from conex_nn.synapses.distribution import Distribution
from conex_nn.synapses.draw_edges import Rows, draw_edges, rows_of
from conex_nn.synapses.initial_weight import Initialiser, initial_weight
from conex_nn.synapses.progress import Progress
from conex_nn.synapses.sparse_product import sparse_backproject, sparse_hebbian, sparse_project
from conex_nn.synapses.synapse import Synapse, leading_axes
from conex_nn.synapses.wiring import Columns, KeptWiring, Part, Wiring, columns_of, index_edges, part_of

__all__ = ["Sparse"]

_DELAYS = {1: torch.uint8, 2: torch.int16, 4: torch.int32}


class Sparse(Synapse):
    r"""Synapses on the edges of a graph: :math:`I_j = \sum_{e: i \to j} w_e s_i`. Nothing dense is ever made.

    The graph is drawn, or given as ``edges``. Edges are sorted by source and then by target, with neurons counted in
    the order of ``flatten``; the edges of source i are those from ``indptr[i]`` up to ``indptr[i + 1]``. A delay is
    kept for the connection that applies it; the synapse itself projects spikes at once.

    An edge takes 2 bytes for its target (4 among more than 65 536), 4 for its weight (2 in half precision), and 1 for a
    delay up to 255 steps (2 for more); one weight or delay for all edges takes none. What else there is to know of
    edges, such as ``source``, is made of that when it is asked for; an index by target, once and for all, when
    something learns, or multiplies spikes with all edges: 16 bytes more.

    Args:
        source_shape: Shape of the population that sends.
        target_shape: Shape of the population that receives.
        density: Part of all pairs that are connected [1]; the number of edges is exactly that, rounded.
        probability: Chance of each pair to be connected, on its own [1].
        number: How many edges there are in all.
        in_degree: How many each target has.
        out_degree: How many each source has.
        edges: Source and target of every edge, with repetitions if wanted (each a synapse of its own).
        multapses: Draw edges with replacement: a pair may then have several, each a synapse of its own.
        self_connections: False allows none between neurons of the same index.
        delay: Delay of every edge: one number for all, one per edge, or what to draw them from, rounded [steps].
        init: Fills the weight ``(edges,)``; default uniform within 1/sqrt(mean number of sources of a target).
        weight: Its values, in place of ``init``: a tensor, with ``edges`` in their order, as is ``delay``; what to draw
            them from, such as ``Normal(0.5, 0.1, low=0.0)``; or one number for all [nA].
        shared: Whether all edges have one weight, kept once as ``(1,)`` and learned as one, as by a convolution; None
            for where ``weight`` is a number. A connection with a rule gives every edge its own.
        dtype: Of the weight; ``torch.bfloat16`` halves its memory, and currents are summed in the spikes' precision.
        generator: Draws the edges, the weight (unless by ``init``) and the delays.
        device: Where to draw and keep them; default that of the generator.

    Raises:
        TypeError: A delay or edges that are no whole numbers.
        ValueError: Not exactly one of ``density``, ``probability``, ``number``, ``in_degree``, ``out_degree`` and
            ``edges``, or one out of range.
        MemoryError: More edges than the free memory holds.

    Example:
        >>> synapse = Sparse(4, 2, edges=([0, 1, 3], [1, 0, 1]), weight=torch.tensor([1.0, 2.0, 3.0]))
        >>> synapse(torch.ones(4))
        tensor([2., 4.], grad_fn=<...>)
        >>> Sparse(1000, (10, 10), in_degree=20)
        Sparse(1000 -> (10, 10), 2000 weights)
        >>> from conex_nn.synapses import Normal
        >>> Sparse(20, 10, number=300, multapses=True, weight=Normal(0.5, 0.1, low=0.0)).target[:5]
        tensor([...], dtype=torch.int32)
    """

    indptr: Tensor
    target_bytes: Tensor
    delay_bytes: Tensor | None

    def __init__(
        self,
        source_shape: int | Sequence[int],
        target_shape: int | Sequence[int],
        *,
        density: float | None = None,
        probability: float | None = None,
        number: int | None = None,
        in_degree: int | None = None,
        out_degree: int | None = None,
        edges: tuple[Tensor | Sequence[int], Tensor | Sequence[int]] | None = None,
        multapses: bool = False,
        self_connections: bool = True,
        delay: int | Tensor | Distribution | None = None,
        init: Initialiser | None = None,
        weight: Tensor | float | Distribution | None = None,
        shared: bool | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(source_shape, target_shape)
        self.self_connections, self.multapses = self_connections, multapses
        self.density, self.probability, self.number = density, probability, number
        self.in_degree, self.out_degree = in_degree, out_degree
        amounts = {name: getattr(self, name) for name in AMOUNTS}
        require_one(**amounts, edges=edges)
        if not self_connections and self.source_shape != self.target_shape:
            raise ValueError(
                "Expected `self_connections=False` only between populations of one shape, got "
                f"{tuple(self.source_shape)} and {tuple(self.target_shape)}."
            )
        shared = isinstance(weight, int | float) if shared is None else shared
        place, order = _place(device, generator), None
        what = f"Drawing edges {self._sizes[0]:,} -> {self._sizes[1]:,}"
        with Progress(what) as progress:
            how = {"generator": generator, "advance": progress.advance}
            if edges is not None:
                rows, order = self._sorted(edges, place)
                if order is not None and isinstance(weight, Tensor) and weight.shape == order.shape:
                    weight = weight[order.to(weight.device)]
            else:
                beside = 0 if shared else (dtype or torch.get_default_dtype()).itemsize
                beside += 0 if delay is None or isinstance(delay, int) else 2
                number = count_edges(self._sizes, amounts, **self._allowed)
                progress.total = number * (1 + isinstance(weight, Distribution) + isinstance(delay, Distribution))
                rows = self._drawn(number, beside, how, place)
            self.register_buffer("indptr", rows.indptr)
            self.register_buffer("target_bytes", rows.target.view(torch.uint8))
            self.register_buffer("delay_bytes", self._delays(delay, order, how, place))
            self._kept, self._kept_columns = KeptWiring[Wiring](), KeptWiring[Columns]()
            self.weight = self._first_weight(init, weight, shared, {"dtype": dtype, "device": place}, how)
        self.register_load_state_dict_pre_hook(_take_widths)
        self.register_load_state_dict_post_hook(_forget)

    def _sorted(self, edges: Any, place: torch.device) -> tuple[Rows, Tensor | None]:
        """Return given edges in order, and which came from where; None where they were in order."""
        sizes = self._sizes
        source, target = check_edges(edges, sizes, self_connections=self.self_connections, device=place)
        keys = source * sizes[1] + target
        if not keys.is_meta and bool((keys[1:] >= keys[:-1]).all()):  # as those of a file are, which may be many
            return rows_of(source, target, *sizes), None
        order = torch.argsort(keys, stable=True)
        return rows_of(source[order], target[order], *sizes), order

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.source_shape.numel(), self.target_shape.numel()

    @property
    def _allowed(self) -> dict[str, bool]:
        return {"self_connections": self.self_connections, "multapses": self.multapses}

    def _drawn(self, number: int, beside: int, how: dict[str, Any], place: torch.device) -> Rows:
        """Draw so many edges; each takes so many bytes beside its target."""
        sizes = self._sizes
        if place.type == "meta":  # nothing can be drawn there; the edges come with load_state_dict
            if self.probability is not None:
                raise ValueError(
                    "Expected `density` on the meta device, where no edges are counted, got `probability`."
                )
            indptr = torch.empty(sizes[0] + 1, dtype=torch.int32, device=place)
            return Rows(indptr, torch.empty(number, dtype=narrow_index(sizes[1]), device=place))
        if place.type == "cpu":
            ends = narrow_index(sizes[1]).itemsize + (0 if self.in_degree is None else narrow_index(sizes[0]).itemsize)
            require_free(
                number * (ends + beside),
                f"{number:,} edges between {sizes[0]:,} and {sizes[1]:,} neurons",
                remedy="Make fewer, keep their weights in half (`dtype=torch.bfloat16`), or give one number for all.",
            )
        whole = number if self.density is not None else self.number
        amount = {"probability": self.probability, "in_degree": self.in_degree, "out_degree": self.out_degree}
        return draw_edges(*sizes, number=whole, **amount, **self._allowed, **how, device=place)

    def _delays(self, delay: Any, order: Tensor | None, how: dict[str, Any], place: torch.device) -> Tensor | None:
        """Return the delays as bytes, or one that all have as a number."""
        if isinstance(delay, Distribution):
            if place.type != "meta":
                return draw_delay(delay, self.num_edges, **how, device=place).view(torch.uint8)
            delay = torch.empty(self.num_edges, dtype=torch.int32, device=place)
        steps = check_delay(delay, self.num_edges, order, place)
        return steps if steps is None or _is_one(steps) else steps.view(torch.uint8)

    def _first_weight(
        self, init: Any, weight: Any, shared: bool, options: dict[str, Any], how: dict[str, Any]
    ) -> nn.Parameter:
        """Return the weight to start with, and keep what it was drawn by."""
        if weight is not None and init is not None:
            raise ValueError("Expected one of `init` and `weight`, got both.")
        if isinstance(weight, int | float):
            init, weight = partial(nn.init.constant_, val=float(weight)), None
        elif isinstance(weight, Distribution):
            init, weight = weight, None
        self.init = init
        return initial_weight(
            (1,) if shared else (self.num_edges,),
            init=partial(init, **how) if isinstance(init, Distribution) else init,
            weight=weight,
            fan_in=self.num_edges / max(1, self.target_shape.numel()),
            generator=None if options["device"].type == "meta" else how["generator"],
            **options,
        )

    @property
    def num_edges(self) -> int:
        """How many edges there are [1]."""
        return self.target_bytes.numel() // self._target_dtype.itemsize

    @property
    def shared(self) -> bool:
        """Whether all edges have one weight, of shape ``(1,)``."""
        return self.weight.numel() == 1 != self.num_edges

    @property
    def _target_dtype(self) -> torch.dtype:
        return narrow_index(self.target_shape.numel())

    @property
    def stored_target(self) -> Tensor:
        """Target of every edge as it is kept: ``uint16``, or ``int32`` where there are more than 65 536 targets."""
        return self.target_bytes.view(self._target_dtype)

    @property
    def stored_delay(self) -> Tensor | None:
        """Delay of every edge as it is kept [steps]: ``uint8``, ``int16`` or ``int32``, or one ``int32`` for all."""
        kept = self.delay_bytes
        if kept is None or kept.dtype != torch.uint8:
            return kept
        return kept.view(_DELAYS[max(1, kept.numel() // max(1, self.num_edges))])

    @property
    def source(self) -> Tensor:
        """Source of every edge, made anew at each call; ``int32``, as all below."""
        neurons = torch.arange(len(self.indptr) - 1, dtype=torch.int32, device=self.indptr.device)
        return neurons.repeat_interleave(self.indptr.diff(), output_size=self.num_edges)

    @property
    def target(self) -> Tensor:
        """Target of every edge."""
        return self.stored_target.int()

    @property
    def delay(self) -> Tensor | None:
        """Delay of every edge [steps]; None where there is none."""
        kept = self.stored_delay
        return kept if kept is None else kept.int().expand(self.num_edges)

    @property
    def by_target(self) -> Tensor:
        """The edges in the order of their targets."""
        return self.wiring().by_target

    @property
    def target_indptr(self) -> Tensor:
        """Where the edges of each target begin in :attr:`by_target`, and how many there are in all."""
        return self.wiring().target_indptr

    @property
    def source_by_target(self) -> Tensor:
        """Sources in the order of :attr:`by_target`."""
        return self.wiring().source_by_target

    def wiring(self) -> Wiring:
        """Return the index of all edges by source and by target; it is made once and kept."""
        return self._kept.of((self.indptr, self.target_bytes), self._index)

    def columns(self) -> Columns:
        """Return the index of all edges by target alone; it is made once and kept."""
        find = partial(columns_of, self.indptr, self.stored_target, self.target_shape.numel())
        return self._kept_columns.of((self.indptr, self.target_bytes), find)

    def _index(self) -> Wiring:
        if self.indptr.is_meta:
            starts = self.indptr.new_empty(self.target_shape.numel() + 1)
            return Wiring(self.target, self.target, self.indptr, self.target, starts, self.target)
        n_source, n_target = self.source_shape.numel(), self.target_shape.numel()
        if self.indptr.device.type != "cpu" or torch.compiler.is_compiling():
            return index_edges(self.source, self.target, n_source=n_source, n_target=n_target)
        starts, by_target, sources = columns_of(self.indptr, self.stored_target, n_target)
        return Wiring(self.source, self.target, self.indptr, by_target, starts.int(), sources.int())

    def unshare(self) -> None:
        """Give every edge a weight of its own, where all have one."""
        if self.shared:
            weight = self.weight.detach().expand(self.num_edges).clone()
            self.weight = nn.Parameter(weight, requires_grad=self.weight.requires_grad)

    def part(self, edges: Tensor) -> Part:
        """Return an index of some edges, for many calls of ``project`` and the like: making it takes a pass over all.

        Args:
            edges: Which edges; as a set: order and repetitions do not matter.
        """
        return part_of(self.wiring(), edges)

    def delays(self) -> list[int]:
        """Return each distinct delay, ascending; 0 for edges without [steps]."""
        kept = self.stored_delay
        if kept is None:
            return [0]
        if kept.dtype == torch.int32:  # one for all, or from afar: hardly counted
            return kept.unique().tolist()
        return torch.bincount(kept).nonzero().flatten().tolist()

    def taps(self) -> list[tuple[int, Tensor]]:
        """Return each distinct delay [steps] and the edges that have it, shortest delay first."""
        kept = self.stored_delay
        if kept is None or _is_one(kept):
            return [(each, torch.arange(self.num_edges, device=self.indptr.device)) for each in self.delays()]
        return [(delay, (kept == delay).nonzero().flatten()) for delay in self.delays()]

    @override
    def project(self, spikes: Tensor, weight: Tensor, edges: Tensor | Part | None = None) -> Tensor:
        """Return the currents that spikes cause through a weight.

        Args:
            spikes: ``(*lead, *source_shape)`` [1].
            weight: A value for every edge, or one for all.
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
            product = sparse_hebbian(*flat, self.wiring())
        else:
            part = edges if isinstance(edges, Part) else self.part(edges)
            some = sparse_hebbian(*flat, part.wiring)
            product = some if self.shared else some.new_zeros(self.num_edges).index_copy_(0, part.edges, some)
        return product.sum().reshape(1) if self.shared else product

    @override
    @torch.no_grad()
    def backproject(self, grad: Tensor, weight: Tensor, edges: Tensor | Part | None = None) -> Tensor:
        """Return what reaches the spikes of a gradient of the currents, see :meth:`Synapse.backproject`.

        Args:
            grad: ``(*lead, *target_shape)``.
            weight: A value for every edge, or one for all.
            edges: Which edges; default all.
        """
        lead = leading_axes(grad, self.target_shape, name="grad")
        weight, wiring = self._among(weight, edges)
        spikes = sparse_backproject(grad.reshape(-1, self.target_shape.numel()), weight, wiring)
        return spikes.reshape(*lead, *self.source_shape)

    def _among(self, weight: Tensor, edges: Tensor | Part | None) -> tuple[Tensor, Wiring]:
        if edges is None:
            return weight.expand(self.num_edges), self.wiring()
        part = edges if isinstance(edges, Part) else self.part(edges)
        return weight.expand(len(part.edges)) if weight.numel() == 1 else weight[part.edges], part.wiring

    @override
    def extra_repr(self) -> str:
        return super().extra_repr() + (f" for {self.num_edges} edges" if self.shared else "")


def _is_one(steps: Tensor) -> bool:
    """Whether delays are kept as one number for all."""
    return steps.dtype == torch.int32 and steps.numel() == 1


def _take_widths(module: nn.Module, state: Any, prefix: str, *_: Any) -> None:
    """Make room for delays of another width, or for one of each edge in place of one for all."""
    kept, new = getattr(module, "delay_bytes", None), state.get(f"{prefix}delay_bytes")
    if isinstance(kept, Tensor) and isinstance(new, Tensor) and (kept.shape, kept.dtype) != (new.shape, new.dtype):
        module.delay_bytes = torch.empty_like(new, device=kept.device)


def _forget(module: nn.Module, _: Any) -> None:
    """Forget the index of edges that a state_dict has replaced."""
    if isinstance(module, Sparse):
        module._kept.clear()
        module._kept_columns.clear()


def _place(device: torch.device | str | None, generator: torch.Generator | None) -> torch.device:
    default = torch.empty(0).device
    if device is not None:
        return torch.device(device)
    return default if generator is None or default.type == "meta" else generator.device

"""Areas drawn at random: densities within and between them, excitatory and inhibitory neurons, input subsets."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from conex_nn.rates.areas import Areas
from conex_nn.rates.constraint import ei_signs

__all__ = ["MultiArea", "MultiAreaEI", "RandomInput"]

_PAIRS = ("ee", "ei", "ie", "ii")


class MultiArea(Areas):
    """Several areas in a chain: dense within, sparse from each to those after it and to those before it.

    Args:
        sizes: Number of neurons of each area, by its name, in the order of the chain; a plain list is named
            ``area_0``, ``area_1``, ...
        within: Density of synapses within an area [1].
        forward: Density from an area to those after it [1].
        backward: Density from an area to those before it [1].
        connectivity: Densities of all pairs instead, ``(post areas, pre areas)`` [1].
        input_areas: Names of the areas that receive the input; None for all.
        readout_areas: Names of the areas that are read out; None for all.
        generator: Source of randomness.

    Raises:
        ValueError: Sizes or densities that mean nothing, names that are none of an area.

    Example:
        >>> areas = MultiArea({"v1": 60, "pfc": 40}, forward=0.2, backward=0.1, input_areas=["v1"])
        >>> areas.recurrent[:60, :60].all(), areas.index("input").max()
        (tensor(True), tensor(59))
    """

    def __init__(
        self,
        sizes: Mapping[str, int] | Sequence[int],
        *,
        within: float = 1.0,
        forward: float = 0.1,
        backward: float = 0.1,
        connectivity: Tensor | None = None,
        input_areas: Collection[str] | None = None,
        readout_areas: Collection[str] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        places = _places(sizes)
        density = _density(len(places), within, forward, backward, connectivity)
        super().__init__(
            places,
            recurrent=_draw(_per_pair(places, density), generator),
            receives=_chosen("input_areas", places, input_areas),
            read=_chosen("readout_areas", places, readout_areas),
        )


class MultiAreaEI(Areas):
    """Several areas, each with excitatory and inhibitory neurons, the excitatory ones first.

    Which kinds project to which is a density for each of ``ee`` (from excitatory to excitatory), ``ei`` (from
    excitatory to inhibitory), ``ie`` and ``ii``, or True and False: it multiplies the density of the pair of areas.

    Args:
        sizes: Number of neurons of each area, as for :class:`MultiArea`.
        excitatory: Fraction of an area's neurons that is excitatory [1].
        within: Density of synapses within an area [1].
        forward: Density from an area to those after it [1].
        backward: Density from an area to those before it [1].
        connectivity: Densities of all pairs instead, ``(post areas, pre areas)`` [1].
        pairs_within: Which kinds project to which within an area; a kind left out is there [1].
        pairs_between: Which kinds project to which between areas; a kind left out is there [1].
        inhibitory_readout: Whether inhibitory neurons are read out, too.
        input_areas: Names of the areas that receive the input; None for all.
        readout_areas: Names of the areas that are read out; None for all.
        generator: Source of randomness.

    Raises:
        ValueError: As for :class:`MultiArea`; a kind of pair that there is not.

    Example:
        >>> areas = MultiAreaEI({"v1": 10, "pfc": 5}, pairs_between={"ie": False, "ii": False})
        >>> areas.index("inhibitory"), areas.recurrent[10:, 8:10].any()
        (tensor([ 8,  9, 14]), tensor(False))
    """

    def __init__(
        self,
        sizes: Mapping[str, int] | Sequence[int],
        *,
        excitatory: float = 0.8,
        within: float = 1.0,
        forward: float = 0.1,
        backward: float = 0.1,
        connectivity: Tensor | None = None,
        pairs_within: Mapping[str, float | bool] | None = None,
        pairs_between: Mapping[str, float | bool] | None = None,
        inhibitory_readout: bool = True,
        input_areas: Collection[str] | None = None,
        readout_areas: Collection[str] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        places = _places(sizes)
        signs = torch.cat([ei_signs(len(index), excitatory=excitatory) for index in places.values()])
        density = _per_pair(places, _density(len(places), within, forward, backward, connectivity))
        same = _per_pair(places, torch.eye(len(places))).bool()
        inside, between = _kinds("pairs_within", signs, pairs_within), _kinds("pairs_between", signs, pairs_between)
        read = _chosen("readout_areas", places, readout_areas)
        if not inhibitory_readout:
            read = signs > 0 if read is None else read & (signs > 0)
        super().__init__(
            places,
            recurrent=_draw(density * torch.where(same, inside, between), generator),
            receives=_chosen("input_areas", places, input_areas),
            read=read,
            signs=signs,
        )


class RandomInput(Areas):
    """One population of which a random part receives the input and a random part is read out.

    Args:
        neurons: Number of neurons.
        inputs: Fraction that receives the input [1].
        readouts: Fraction that is read out [1].
        recurrent: Density of the recurrent synapses [1].
        overlap: Whether a neuron may be in both parts.
        generator: Source of randomness.

    Raises:
        ValueError: Fractions outside 0 to 1, or above 1 together without overlap.

    Example:
        >>> areas = RandomInput(10, inputs=0.3, readouts=0.5, overlap=False)
        >>> len(areas.index("input")), len(areas.index("readout"))
        (3, 5)
    """

    def __init__(
        self,
        neurons: int,
        *,
        inputs: float = 0.1,
        readouts: float = 0.1,
        recurrent: float = 1.0,
        overlap: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        for name, value in (("inputs", inputs), ("readouts", readouts), ("recurrent", recurrent)):
            if not 0 <= value <= 1:
                raise ValueError(f"Expected `{name}` from 0 to 1 [1], got {value}.")
        first, last = round(inputs * neurons), round(readouts * neurons)
        if not overlap and first + last > neurons:
            raise ValueError(
                f"Expected `inputs` and `readouts` of at most 1 together without overlap [1], got {inputs + readouts}."
            )
        order = torch.randperm(neurons, generator=generator)
        other = torch.randperm(neurons, generator=generator) if overlap else order.flip(0)
        every = torch.zeros(neurons, dtype=torch.bool)
        super().__init__(
            {"all": range(neurons)},
            recurrent=torch.rand(neurons, neurons, generator=generator) < recurrent,
            receives=every.index_fill(0, order[:first], True),
            read=every.index_fill(0, other[:last], True),
        )


def _places(sizes: Mapping[str, int] | Sequence[int]) -> dict[str, range]:
    """Return the neurons of each area, one after the other."""
    named = dict(sizes) if isinstance(sizes, Mapping) else {f"area_{i}": size for i, size in enumerate(sizes)}
    if not named or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in named.values()):
        raise ValueError(f"Expected `sizes` to be whole numbers of at least 1, one for each area, got {sizes}.")
    places, begin = {}, 0
    for name, size in named.items():
        places[name] = range(begin, begin + size)
        begin += size
    return places


def _density(count: int, within: float, forward: float, backward: float, connectivity: Tensor | None) -> Tensor:
    """Return the density from each area (columns) to each area (rows)."""
    if connectivity is None:
        ones = torch.ones(count, count)
        density = backward * ones.triu(1) + forward * ones.tril(-1) + within * torch.eye(count)
        name = "within`, `forward` and `backward"
    else:
        density, name = torch.as_tensor(connectivity, dtype=torch.get_default_dtype()), "connectivity"
        if density.shape != (count, count):
            raise ValueError(f"Expected `connectivity` of shape {(count, count)}, got {tuple(density.shape)}.")
    if not density.is_meta and not ((density >= 0) & (density <= 1)).all():
        raise ValueError(f"Expected `{name}` to be densities from 0 to 1 [1], got {density.tolist()}.")
    return density


def _per_pair(places: Mapping[str, range], values: Tensor) -> Tensor:
    """Return what each pair of neurons has, of what each pair of areas has."""
    sizes = torch.tensor([len(index) for index in places.values()])
    return values.repeat_interleave(sizes, 0).repeat_interleave(sizes, 1)


def _draw(probability: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(probability.shape, generator=generator) < probability


def _chosen(name: str, places: Mapping[str, range], areas: Collection[str] | None) -> Tensor | None:
    """Return which neurons are in the chosen areas."""
    if areas is None:
        return None
    if isinstance(areas, str) or set(areas) - set(places):
        raise ValueError(f"Expected `{name}` to be a list of names among {', '.join(places)}, got {areas!r}.")
    return torch.cat([torch.full((len(index),), name in areas) for name, index in places.items()])


def _kinds(name: str, signs: Tensor, pairs: Mapping[str, float | bool] | None) -> Tensor:
    """Return the factor of each pair of neurons, by their kinds; rows are targets."""
    pairs = dict(pairs or {})
    if unknown := set(pairs) - set(_PAIRS):
        raise ValueError(f"Expected `{name}` to name pairs among {', '.join(_PAIRS)}, got {sorted(unknown)}.")
    if any(not 0 <= float(value) <= 1 for value in pairs.values()):
        raise ValueError(f"Expected `{name}` to be densities from 0 to 1, or True and False [1], got {pairs}.")
    table = torch.tensor([[float(pairs.get(source + target, 1.0)) for source in "ei"] for target in "ei"])
    kind = (signs < 0).long()
    return table[kind[:, None], kind]

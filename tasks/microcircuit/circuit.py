"""The cortical microcircuit of Potjans and Diesmann (2014) in numbers, at full scale or at a part of it.

Nothing here simulates anything: our network and those of other simulators are made from the same numbers.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

__all__ = ["PUBLISHED_RATES", "Circuit", "Thalamus", "circuit"]

POPULATIONS: tuple[str, ...] = ("l23.exc", "l23.inh", "l4.exc", "l4.inh", "l5.exc", "l5.inh", "l6.exc", "l6.inh")
"""Addresses within the column, in the order of all that follows."""
NEURONS = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
PROBABILITIES = (  # that a pair is connected; a row for each target, a column for each source
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)
EXTERNAL_SOURCES = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)
EXTERNAL_RATE = 8.0
"""Of each external source [Hz]."""
WEIGHT = 0.0878
"""Of an excitatory synapse: a potential of 0.15 mV [nA]."""
INHIBITION = 4.0
"""How much stronger an inhibitory synapse is [1]."""
FROM_L4_TO_L23 = 2.0
"""How much stronger a synapse from l4.exc to l23.exc is [1]."""
DELAYS = (1.5, 0.75)
"""Mean delays of excitatory and of inhibitory synapses [ms]."""
CAPACITANCE = 250.0
"""Of the membrane [pF]."""
TAU_MEM = 10.0
"""Time constant of the membrane; its resistance is this by the capacitance, 40 MOhm [ms]."""
TAU_SYN = 0.5
"""Time constant of the synaptic currents [ms]."""
V_REST, V_RESET, V_THRESHOLD = -65.0, -65.0, -50.0
"""Potentials at rest, after a spike, and at which one is fired [mV]."""
REFRACTORY = 2.0
"""For how long a cell stays at its reset [ms]."""
RHEOBASE = (V_THRESHOLD - V_REST) * CAPACITANCE / TAU_MEM / 1000
"""Constant current at which a cell begins to fire [nA]."""
FIRST_POTENTIALS = (-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43)
"""Means of the potentials at the start, near those of the running network [mV]."""
FIRST_SPREADS = (5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48)
"""Their standard deviations [mV]."""
THALAMIC_NEURONS = 902
THALAMIC_PROBABILITIES = (0.0, 0.0, 0.0983, 0.0619, 0.0, 0.0, 0.0512, 0.0196)

PUBLISHED_RATES: dict[str, dict[str, float]] = {
    "PD14 package 2026": dict(zip(POPULATIONS, (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829), strict=True)),
    "NEST 3.3 example": dict(zip(POPULATIONS, (0.943, 3.026, 4.368, 5.882, 7.733, 8.664, 1.096, 7.851), strict=True)),
    "PyNN, Open Source Brain": dict(
        zip(POPULATIONS, (0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523), strict=True)
    ),
}
"""Mean rates of the populations at full scale, as three implementations give them [Hz]."""
MEAN_RATES = PUBLISHED_RATES["PD14 package 2026"]


@dataclass(frozen=True, kw_only=True)
class Thalamus:
    """The thalamic cells, which fire for a moment only."""

    neurons: int
    """How many they are [1]."""
    synapses: Tensor
    """How many synapses they have on each population, ``(populations,)`` [1]."""
    rate: float = 120.0
    """Of each while they fire [Hz]."""
    lasts: float = 10.0
    """How long they fire [ms]."""


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """The circuit at one scale. Matrices have a row for each target and a column for each source."""

    names: tuple[str, ...]
    """Addresses of the populations; those of inhibitory cells end in ``inh``."""
    neurons: tuple[int, ...]
    """How many cells each has [1]."""
    synapses: Tensor
    """How many synapses connect two populations in all, ``(populations, populations)`` [1]."""
    weight: Tensor
    """Mean magnitude of their weights, likewise [nA]."""
    delay: tuple[float, ...]
    """Mean delay of the synapses from each population [ms]."""
    current: Tensor
    """Constant current into each cell, ``(populations,)`` [nA]."""
    background_rate: Tensor
    """Rate of the spikes from outside that each cell gets, ``(populations,)``; 0 where they are a current [Hz]."""
    background_weight: float
    """Weight of these [nA]."""
    thalamus: Thalamus
    """The thalamic cells, whose weight and delay are those of excitatory synapses."""
    weight_spread: float = 0.1
    """Standard deviation of weights, relative to their mean [1]."""
    delay_spread: float = 0.5
    """Standard deviation of delays, relative to their mean [1]."""
    first_potential: tuple[float, ...] = FIRST_POTENTIALS
    """Mean potential at the start [mV]."""
    first_spread: tuple[float, ...] = FIRST_SPREADS
    """Its standard deviation [mV]."""

    def inhibitory(self, name: str) -> bool:
        """Whether a population's cells inhibit.

        Args:
            name: Its address.
        """
        return name.endswith("inh")

    def only(self, *layers: str) -> "Circuit":
        """Return some layers taken out: a constant current stands in for the mean of what the others send.

        Args:
            layers: Their names.

        Raises:
            ValueError: There is no such layer.

        Example:
            >>> circuit(0.1, drive="poisson").only("l4").names
            ('l4.exc', 'l4.inh')
        """
        known = dict.fromkeys(name.split(".")[0] for name in self.names)
        if not layers or set(layers) - set(known):
            raise ValueError(f"Expected `layers` to be among {', '.join(known)}, got {', '.join(layers) or 'none'}.")
        kept = [i for i, name in enumerate(self.names) if name.split(".")[0] in layers]
        others = [i for i in range(len(self.names)) if i not in kept]
        names = tuple(self.names[i] for i in others)
        sign = torch.tensor([-1.0 if self.inhibitory(name) else 1.0 for name in names], dtype=torch.float64)
        cells = torch.tensor([self.neurons[i] for i in kept], dtype=torch.float64)[:, None]
        received = self.synapses[kept][:, others] / cells * self.weight[kept][:, others] * sign
        return replace(
            self,
            synapses=self.synapses[kept][:, kept],
            weight=self.weight[kept][:, kept],
            current=self.current[kept] + _current(received, names),
            background_rate=self.background_rate[kept],
            thalamus=replace(self.thalamus, synapses=self.thalamus.synapses[kept]),
            **{
                name: tuple(getattr(self, name)[i] for i in kept)
                for name in ("names", "neurons", "delay", "first_potential", "first_spread")
            },
        )


def circuit(scale: float = 1.0, *, drive: Literal["dc", "poisson"] = "dc", background: float = 1.0) -> Circuit:
    r"""Return the circuit with a part of its neurons and of the synapses of each neuron.

    What reaches a cell keeps its mean and its variance. Weights grow by :math:`1/\sqrt{s}`, so that the variance,
    :math:`s K \cdot J^2 / s`, is what it was; of the mean, :math:`\sqrt{s}\, K J \nu` is then left, and a constant
    current stands in for the rest, :math:`(1 - \sqrt{s}) \sum_j K_j J_j \nu_j \tau_\mathrm{syn}`, at the rates
    :math:`\nu_j` of the full circuit.

    Args:
        scale: Part :math:`s` of the neurons, and of the synapses that each receives; 1 for all, 77 169 neurons with
            299 million synapses [1].
        drive: Whether what comes from outside is a constant current or Poisson spikes.
        background: Factor of what comes from outside [1].

    Raises:
        ValueError: A scale that is not in (0, 1], a negative factor; a constant current that leaves all excitatory
            cells below their threshold, so that silence, once reached, lasts.

    References:
        Potjans and Diesmann, Cereb Cortex 24 (2014), tables 4 and 5. Van Albada, Helias and Diesmann, PLoS Comput Biol
        11 (2015), e1004490, equations 4 and 6: what is kept as in-degrees are scaled.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"Expected `scale` to be above 0 and up to 1 [1], got {scale}.")
    if background < 0:
        raise ValueError(f"Expected `background` to be at least 0 [1], got {background}.")
    sizes = torch.tensor(NEURONS, dtype=torch.float64)
    full = _synapses(torch.tensor(PROBABILITIES, dtype=torch.float64), sizes[:, None] * sizes)
    inhibits = torch.tensor([name.endswith("inh") for name in POPULATIONS])
    weight = torch.where(inhibits, INHIBITION * WEIGHT, WEIGHT).to(torch.float64).repeat(len(sizes), 1)
    weight[POPULATIONS.index("l23.exc"), POPULATIONS.index("l4.exc")] *= FROM_L4_TO_L23
    external = torch.tensor(EXTERNAL_SOURCES, dtype=torch.float64)
    recurrent = _current(full / sizes[:, None] * torch.where(inhibits, -weight, weight), POPULATIONS)
    outside = external * WEIGHT * EXTERNAL_RATE * TAU_SYN / 1000
    root, dc = math.sqrt(scale), drive == "dc"
    current = (1 - root) * (recurrent + (0 if dc else outside)) + (background * outside if dc else 0)
    if dc and (most := float(current[~inhibits].max())) <= RHEOBASE:
        raise ValueError(
            f"Expected a constant current above {RHEOBASE:g} nA for some excitatory cells, got at most {most:.3f} nA "
            f"at scale {scale:g}: the network would fall silent. Use Poisson spikes, a larger scale, or a `background` "
            "of 1.1."
        )
    cells = tuple(max(round(scale * n), 1) for n in NEURONS)
    to_each = _synapses(torch.tensor(THALAMIC_PROBABILITIES, dtype=torch.float64), sizes * THALAMIC_NEURONS)
    return Circuit(
        names=POPULATIONS,
        neurons=cells,
        synapses=(scale**2 * full).round().long(),
        weight=weight / root,
        delay=tuple(DELAYS[int(inhibitory)] for inhibitory in inhibits),
        current=current,
        background_rate=torch.zeros_like(external) if dc else background * scale * external * EXTERNAL_RATE,
        background_weight=WEIGHT / root,
        thalamus=Thalamus(
            neurons=max(round(scale * THALAMIC_NEURONS), 1), synapses=(scale**2 * to_each).round().long()
        ),
    )


def _current(received: Tensor, sources: tuple[str, ...]) -> Tensor:
    """Return the mean current from sources that fire at the published rates [nA].

    Args:
        received: Weights of all synapses of a cell, summed, with a column for each source [nA].
        sources: Their names.
    """
    rates = torch.tensor([MEAN_RATES[name] for name in sources], dtype=torch.float64)
    return received @ rates * TAU_SYN / 1000  # a spike leaves a charge of weight times tau_syn [nA ms]; rates are in Hz


def _synapses(probability: Tensor, pairs: Tensor) -> Tensor:
    """Return how many synapses, drawn with replacement, connect a pair with a probability."""
    return torch.log1p(-probability) / torch.log1p(-1 / pairs)

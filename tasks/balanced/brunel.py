"""Brunel's network of cells with delta synapses, and its four regimes."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import conex_nn as cx

__all__ = ["REGIMES", "Regime", "brunel"]


@dataclass(frozen=True, kw_only=True)
class Regime:
    """Brunel's network of cells with delta synapses, in one of its regimes."""

    name: str
    """What the regime is called."""
    g: float
    """How much stronger an inhibitory synapse is [1]."""
    eta: float
    """Rate of the spikes from outside, by that which brings a cell to its threshold on its own [1]."""
    excitatory: int = 10000
    """Excitatory cells [1]."""
    inhibitory: int = 2500
    """Inhibitory cells [1]."""
    connected: float = 0.1
    """Part of the cells of each kind from which a cell gets synapses [1]."""
    jump: float = 0.1
    """By how much a spike lifts the potential of an excitatory synapse's target [mV]."""
    delay: float = 1.5
    """Of all synapses [ms]."""
    tau_mem: float = 20.0
    """Time constant of the membrane [ms]."""
    v_threshold: float = 20.0
    """Potential at which a cell fires; it rests at 0 [mV]."""
    v_reset: float = 10.0
    """Potential after a spike [mV]."""
    refractory: float = 2.0
    """For how long a cell stays there [ms]."""

    @property
    def in_degrees(self) -> tuple[int, int]:
        """Synapses that each cell gets from excitatory and from inhibitory cells [1]."""
        return round(self.connected * self.excitatory), round(self.connected * self.inhibitory)

    @property
    def background_rate(self) -> float:
        """Rate of all spikes that a cell gets from outside [Hz]."""
        return 1000 * self.eta * self.v_threshold / (self.jump * self.tau_mem)

    def scaled(self, scale: float) -> "Regime":
        """Return the network with fewer cells and fewer, stronger synapses: the mean of what arrives stays.

        Args:
            scale: Part of the cells, and of the synapses of each [1].
        """
        cells = {name: max(round(scale * getattr(self, name)), 1) for name in ("excitatory", "inhibitory")}
        return dataclasses.replace(self, jump=self.jump / scale, **cells)


REGIMES = {
    "SR": Regime(name="synchronous, regular", g=3.0, eta=2.0),
    "SI-fast": Regime(name="synchronous, irregular, fast", g=6.0, eta=4.0),
    "AI": Regime(name="asynchronous, irregular", g=5.0, eta=2.0),
    "SI-slow": Regime(name="synchronous, irregular, slow", g=4.5, eta=0.9),
}
"""The four regimes of Brunel, J Comput Neurosci 8 (2000), figure 8: its panels A to D."""


def brunel(regime: Regime, *, dt: float = 0.1, plastic: bool = False) -> cx.Neocortex:
    """Build Brunel's network; what is drawn is drawn from torch's generator.

    Args:
        regime: Its numbers.
        dt: Length of a step [ms].
        plastic: Whether the synapses among excitatory cells learn, by pair STDP between 0 and twice where they begin.
    """
    pulse = regime.jump / -math.expm1(-dt / regime.tau_mem)  # [nA]: for one step, through 1 MOhm, it makes the jump
    rule = cx.plasticity.chain(
        cx.STDP(a_plus=0.001 * pulse, a_minus=0.00105 * pulse), cx.plasticity.Clip(0.0, 2 * pulse)
    )

    def cells(number: int, *, inhibitory: bool) -> cx.Population:
        membrane = cx.LIF(
            tau_mem=regime.tau_mem,
            v_threshold=regime.v_threshold,
            v_reset=regime.v_reset,
            refractory_time=regime.refractory,
        )
        return cx.Population(
            number,
            membrane,
            dendrite=cx.Dendrite({"proximal": cx.Drive()}),
            background=cx.PoissonDrive(rate=regime.background_rate, weight=pulse),
            inhibitory=inhibitory,
        )

    layer = cx.CorticalLayer(
        exc=cells(regime.excitatory, inhibitory=False), inh=cells(regime.inhibitory, inhibitory=True)
    )
    for source, degree, strength in zip(("exc", "inh"), regime.in_degrees, (1.0, regime.g), strict=True):
        options: dict[str, Any] = {"in_degree": degree, "multapses": True, "weight": strength * pulse}
        for target in ("exc", "inh"):
            learns = {"rule": rule, "when": "step"} if plastic and source == target == "exc" else {}
            layer.connect(source, target, cx.Sparse, latency=round(regime.delay / dt), **options, **learns)
    return cx.Neocortex(layer=layer, dt=dt)

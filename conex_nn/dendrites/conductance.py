"""A compartment whose synapses open conductances."""

from torch import Tensor, nn
from typing_extensions import override

from conex_nn.dendrites.compartment import Compartment, fixed_number
from conex_nn.functional import held_factor
from conex_nn.kept import kept
from conex_nn.parameters import shown

__all__ = ["Conductance"]


class Conductance(Compartment):
    r"""A compartment whose synapses open a conductance, through which current flows toward a reversal potential.

    .. math:: \tau_s \dot g = -g, \qquad I = g \, (E - v)

    What arrives are conductances in uS, nA being uS times mV; one in nS is a thousandth of it, and one in units of the
    leak's is divided by the resistance. They are never negative: whether a synapse excites or inhibits is said by the
    reversal. So weights of connections that end here are magnitudes, and ``inhibitory=True`` of their source does not
    make them negative. What has arrived and not yet decayed is ``synaptic.<compartment>`` to a recorder.

    :math:`g` decays exactly. Neurons whose linear part is integrated exactly are given the current that, held for the
    step, does what the mean conductance of the step does together with all other currents, :func:`shunted_current`:
    their potential is of second order in ``dt`` (exact for constant conductances), and stays between the potentials
    that currents and reversals aim at, however strong they are. Of neurons of ``method="euler"`` everything is Euler's,
    :math:`g` and :math:`v` those at the start of the step: keep ``dt * g`` below the capacitance.

    Args:
        reversal: Potential at which no current flows, one or one per neuron [mV].
        tau_syn: Time constant with which the conductance decays; None for one that is open for one step [ms].

    Raises:
        TypeError: ``reversal`` or ``tau_syn`` is no number and no tensor, or is trainable.
        ValueError: One is not finite, or ``tau_syn`` not positive.

    Example:
        >>> from conex_nn.dendrites import Dendrite
        >>> from conex_nn.neurons import LIF
        >>> dendrite = Dendrite({"exc": Conductance(0.0, tau_syn=5.0), "inh": Conductance(-80.0, tau_syn=10.0)})
        >>> arrivals, v = {"exc": torch.tensor([0.1, 0.0]), "inh": torch.tensor([0.0, 0.1])}, torch.full((2,), -60.0)
        >>> current, state = dendrite.step(arrivals, dendrite.initial_state(v), v, LIF.cortical(), dt=0.1)
        >>> current, state["inh"]
        (tensor([ 5.8269, -1.9486]), tensor([0.0000, 0.1000]))

    References:
        Vogels and Abbott, J Neurosci 25 (2005); Brette et al., J Comput Neurosci 23 (2007), benchmark 1.
    """

    pulls, opens = True, True
    reversal: Tensor

    def __init__(self, reversal: float | Tensor, *, tau_syn: float | Tensor | None = None) -> None:
        super().__init__(tau_syn)
        self.register_buffer("reversal", fixed_number("reversal", reversal, unit="mV"))

    @override
    def forward(self, current: Tensor, v: Tensor | None, neuron: nn.Module | None) -> Tensor:
        if v is None:
            raise TypeError("Expected `v`, the membrane potential [mV], on which the current depends, got None.")
        return current * (self.reversal - v)

    @override
    def opened(self, current: Tensor, v: Tensor | None) -> Tensor:
        return current

    @override
    def factor(self, neuron: nn.Module | None, *, dt: float) -> Tensor | None:
        tau = self.tau_syn
        if tau is None or getattr(neuron, "method", None) != "exact":
            return None
        return kept(self, "factor", dt, lambda: held_factor(tau, dt=dt), of=[tau])

    @override
    def extra_repr(self) -> str:
        return ", ".join(filter(None, [f"reversal={shown(self.reversal)}", super().extra_repr()]))

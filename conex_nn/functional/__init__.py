"""The mathematics: pure functions on tensors, one step each."""

from conex_nn.functional import grid
from conex_nn.functional.adaptive_lif import adapt, aelif_step
from conex_nn.functional.charge import charge
from conex_nn.functional.ctrnn import ctrnn_step
from conex_nn.functional.decaying_current import held_factor, mean_decay
from conex_nn.functional.exponential_lif import elif_step, exponential_charge, upstroke
from conex_nn.functional.fire import fire, is_refractory
from conex_nn.functional.integrate_and_fire import if_step
from conex_nn.functional.izhikevich import izhikevich_charge, izhikevich_fire, izhikevich_step
from conex_nn.functional.leak import decay_factor, membrane_coefficients, noise_factor, rise_factor
from conex_nn.functional.li import li_step
from conex_nn.functional.lif import lif_step
from conex_nn.functional.poisson_counts import poisson_counts, poisson_thresholds
from conex_nn.functional.random_bits import random_bits
from conex_nn.functional.shunt import shunted_current

__all__ = [
    "adapt",
    "aelif_step",
    "charge",
    "ctrnn_step",
    "decay_factor",
    "elif_step",
    "exponential_charge",
    "fire",
    "grid",
    "held_factor",
    "if_step",
    "is_refractory",
    "izhikevich_charge",
    "izhikevich_fire",
    "izhikevich_step",
    "li_step",
    "lif_step",
    "mean_decay",
    "membrane_coefficients",
    "noise_factor",
    "poisson_counts",
    "poisson_thresholds",
    "random_bits",
    "rise_factor",
    "shunted_current",
    "upstroke",
]

"""The mathematics: pure functions on tensors, one step each."""

from conex_nn.functional.adaptive_lif import aelif_step
from conex_nn.functional.exponential_lif import elif_step, upstroke
from conex_nn.functional.fire import fire
from conex_nn.functional.integrate_and_fire import if_step
from conex_nn.functional.izhikevich import izhikevich_step
from conex_nn.functional.leak import decay_factor, membrane_coefficients, noise_factor, rise_factor
from conex_nn.functional.li import li_step
from conex_nn.functional.lif import lif_step

__all__ = [
    "aelif_step",
    "decay_factor",
    "elif_step",
    "fire",
    "if_step",
    "izhikevich_step",
    "li_step",
    "lif_step",
    "membrane_coefficients",
    "noise_factor",
    "rise_factor",
    "upstroke",
]

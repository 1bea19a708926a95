"""Rate networks: CTRNNs with areas, Dale's law, masks of synapses and of plasticity, and their losses."""

from conex_nn.rates.constrain import constrain, constraints_of
from conex_nn.rates.constraint import Constraint, Dale, NonNegative, NoSelf, Plasticity, Sparsity, ei_signs
from conex_nn.rates.ctrnn import CTRNN, CTRNNState

__all__ = [
    "CTRNN",
    "CTRNNState",
    "Constraint",
    "Dale",
    "NoSelf",
    "NonNegative",
    "Plasticity",
    "Sparsity",
    "constrain",
    "constraints_of",
    "ei_signs",
]

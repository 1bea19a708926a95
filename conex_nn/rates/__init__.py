"""Rate networks: CTRNNs with areas, Dale's law, masks of synapses and of plasticity, and their losses."""

from conex_nn.rates.areas import Areas, Blocks
from conex_nn.rates.constrain import constrain, constraints_of, grow
from conex_nn.rates.constraint import Constraint, Dale, NonNegative, NoSelf, Plasticity, Sparsity, ei_signs
from conex_nn.rates.ctrnn import CTRNN, CTRNNState
from conex_nn.rates.initial import balance_, by_area_, spectral_radius_
from conex_nn.rates.losses import (
    Connectivity,
    Metabolic,
    Outcome,
    RateMagnitude,
    RateSpread,
    RateVariation,
    Reconstruction,
    TaskLoss,
    WeightedLoss,
    WeightNorm,
)
from conex_nn.rates.masks import density_mask, fan_in_mask, fan_out_mask
from conex_nn.rates.mlp import MLP
from conex_nn.rates.multi_area import MultiArea, MultiAreaEI, RandomInput

__all__ = [
    "CTRNN",
    "MLP",
    "Areas",
    "Blocks",
    "CTRNNState",
    "Connectivity",
    "Constraint",
    "Dale",
    "Metabolic",
    "MultiArea",
    "MultiAreaEI",
    "NoSelf",
    "NonNegative",
    "Outcome",
    "Plasticity",
    "RandomInput",
    "RateMagnitude",
    "RateSpread",
    "RateVariation",
    "Reconstruction",
    "Sparsity",
    "TaskLoss",
    "WeightNorm",
    "WeightedLoss",
    "balance_",
    "by_area_",
    "constrain",
    "constraints_of",
    "density_mask",
    "ei_signs",
    "fan_in_mask",
    "fan_out_mask",
    "grow",
    "spectral_radius_",
]

"""Synapses: maps from spikes to currents, linear in a weight, and delays."""

from conex_nn.synapses import masks
from conex_nn.synapses.avg_pool2d import AvgPool2d
from conex_nn.synapses.conv2d import Conv2d
from conex_nn.synapses.delay import Delay
from conex_nn.synapses.dense import Dense
from conex_nn.synapses.distribution import Distribution, LogNormal, Normal, Uniform
from conex_nn.synapses.lateral import Lateral
from conex_nn.synapses.local2d import Local2d
from conex_nn.synapses.one_to_one import OneToOne
from conex_nn.synapses.pair_weights import pair_weights
from conex_nn.synapses.sparse import Sparse
from conex_nn.synapses.synapse import Synapse

__all__ = [
    "AvgPool2d",
    "Conv2d",
    "Delay",
    "Dense",
    "Distribution",
    "Lateral",
    "Local2d",
    "LogNormal",
    "Normal",
    "OneToOne",
    "Sparse",
    "Synapse",
    "Uniform",
    "masks",
    "pair_weights",
]

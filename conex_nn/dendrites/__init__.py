"""Dendrites: compartments at which currents arrive, and what they do to the membrane."""

from conex_nn.dendrites.compartment import Compartment, Drive, Pull
from conex_nn.dendrites.conductance import Conductance
from conex_nn.dendrites.dendrite import Dendrite

__all__ = ["Compartment", "Conductance", "Dendrite", "Drive", "Pull"]

"""Populations, connections and containers, and the engine that runs the graph they make."""

from conex_nn.structure.connection import Connection
from conex_nn.structure.container import Container
from conex_nn.structure.cortical_column import CorticalColumn
from conex_nn.structure.cortical_layer import CorticalLayer
from conex_nn.structure.engine import NetworkState
from conex_nn.structure.events import Events
from conex_nn.structure.input_layer import InputLayer
from conex_nn.structure.neocortex import Neocortex
from conex_nn.structure.output_layer import OutputLayer
from conex_nn.structure.poisson_input import PoissonInput
from conex_nn.structure.population import Population, Source
from conex_nn.structure.profile import Cost, Profile
from conex_nn.structure.registry import register
from conex_nn.structure.simulation import Simulation
from conex_nn.structure.spike_generator import SpikeGenerator
from conex_nn.structure.spike_times import SpikeTimes
from conex_nn.structure.storage import LoadWarning, load, save
from conex_nn.structure.summary import sketch
from conex_nn.structure.synapsis import Synapsis
from conex_nn.structure.wiring import wire_column, wire_columns, wire_layer

__all__ = [
    "Connection",
    "Container",
    "CorticalColumn",
    "CorticalLayer",
    "Cost",
    "Events",
    "InputLayer",
    "LoadWarning",
    "Neocortex",
    "NetworkState",
    "OutputLayer",
    "PoissonInput",
    "Population",
    "Profile",
    "Simulation",
    "Source",
    "SpikeGenerator",
    "SpikeTimes",
    "Synapsis",
    "load",
    "register",
    "save",
    "sketch",
    "wire_column",
    "wire_columns",
    "wire_layer",
]

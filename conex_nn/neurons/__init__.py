"""Neuron models: torch modules with an explicit state and one step."""

from conex_nn.neurons.adaptive_lif import AELIF, AELIFState
from conex_nn.neurons.adaptive_threshold import AdaptiveThreshold
from conex_nn.neurons.background import Background, ConstantDrive
from conex_nn.neurons.behavior import Behavior
from conex_nn.neurons.draws import Draws
from conex_nn.neurons.exponential_lif import ELIF
from conex_nn.neurons.from_snntorch import FromSnnTorch
from conex_nn.neurons.homeostasis import ActivityHomeostasis, Homeostasis, VoltageHomeostasis
from conex_nn.neurons.integrate_and_fire import IF
from conex_nn.neurons.izhikevich import Izhikevich, IzhikevichState
from conex_nn.neurons.li import LI, LIState
from conex_nn.neurons.lif import LIF
from conex_nn.neurons.neuron import Neuron
from conex_nn.neurons.noise import Noise
from conex_nn.neurons.poisson_drive import PoissonDrive
from conex_nn.neurons.threshold import ThresholdState
from conex_nn.neurons.winners import KWinners

__all__ = [
    "AELIF",
    "ELIF",
    "IF",
    "LI",
    "LIF",
    "AELIFState",
    "ActivityHomeostasis",
    "AdaptiveThreshold",
    "Background",
    "Behavior",
    "ConstantDrive",
    "Draws",
    "FromSnnTorch",
    "Homeostasis",
    "Izhikevich",
    "IzhikevichState",
    "KWinners",
    "LIState",
    "Neuron",
    "Noise",
    "PoissonDrive",
    "ThresholdState",
    "VoltageHomeostasis",
]

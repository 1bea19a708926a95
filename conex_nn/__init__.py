"""Cortex-like spiking networks as torch modules, trained by local plasticity, surrogate gradients, or both.

| part | what it holds |
|---|---|
| `conex_nn.functional` | the mathematics: one step of each model, on plain tensors |
| `conex_nn.surrogate` | spike functions with surrogate derivatives |
| `conex_nn.neurons` | LIF, ELIF, AELIF, Izhikevich, IF, LI; snnTorch's neurons |
| `conex_nn.dendrites` | compartments at which currents arrive |
| `conex_nn.synapses` | dense, one-to-one, sparse, convolutional ... synapses, and delays |
| `conex_nn.plasticity` | learning rules for every synapse, bounds, constraints, neuromodulators |
| `conex_nn.rates` | rate networks (CTRNN): areas, Dale's law, masks, losses |
| `conex_nn.bridge` | from rate networks to spiking ones and back, and loops of both |
| `conex_nn.structure` | populations, connections, layers, columns, whole networks, and the engine that runs them |
| `conex_nn.sequential` | chains of modules over sequences |
| `conex_nn.durations` | times such as "500 ms", in milliseconds and in steps |
| `conex_nn.encoders` | dataset transforms from values to spikes |
| `conex_nn.data` | LightningDataModules |
| `conex_nn.training` | the LightningModule, metrics, reports |
| `conex_nn.recording` | spikes and state variables of a run |
| `conex_nn.plots` | pictures |
| `conex_nn.testing` | the laws that a model has to keep, for models of your own |
"""

import importlib
from typing import Any

from conex_nn import dendrites, functional, neurons, plasticity, structure, surrogate, synapses
from conex_nn.dendrites import Compartment, Conductance, Dendrite, Drive, Pull
from conex_nn.memory import keep_memory
from conex_nn.neurons import (
    AELIF,
    ELIF,
    IF,
    LI,
    LIF,
    ActivityHomeostasis,
    AdaptiveThreshold,
    Background,
    Behavior,
    ConstantDrive,
    FromSnnTorch,
    Homeostasis,
    Izhikevich,
    KWinners,
    Neuron,
    Noise,
    PoissonDrive,
    VoltageHomeostasis,
)
from conex_nn.plasticity import BCM, ISTDP, MSTDP, MSTDPET, RSTDP, STDP, Clopath, Oja, ShiftSTDP, TripletSTDP
from conex_nn.sequential import SequenceDropout, Sequential
from conex_nn.structure import (
    Connection,
    Container,
    CorticalColumn,
    CorticalLayer,
    InputLayer,
    LoadWarning,
    Neocortex,
    OutputLayer,
    PoissonInput,
    Population,
    Source,
    SpikeGenerator,
    SpikeTimes,
    Synapsis,
    load,
    register,
    save,
    wire_column,
    wire_columns,
    wire_layer,
)
from conex_nn.synapses import (
    AvgPool2d,
    Conv2d,
    Dense,
    Lateral,
    Local2d,
    LogNormal,
    Normal,
    OneToOne,
    Sparse,
    Synapse,
    Uniform,
)

__all__ = [
    "AELIF",
    "BCM",
    "ELIF",
    "IF",
    "ISTDP",
    "LI",
    "LIF",
    "MSTDP",
    "MSTDPET",
    "RSTDP",
    "STDP",
    "ActivityHomeostasis",
    "AdaptiveThreshold",
    "AvgPool2d",
    "Background",
    "Behavior",
    "Clopath",
    "Compartment",
    "Conductance",
    "Connection",
    "ConstantDrive",
    "Container",
    "Conv2d",
    "CorticalColumn",
    "CorticalLayer",
    "Dendrite",
    "Dense",
    "Drive",
    "FromSnnTorch",
    "Homeostasis",
    "InputLayer",
    "Izhikevich",
    "KWinners",
    "Lateral",
    "LoadWarning",
    "Local2d",
    "LogNormal",
    "Neocortex",
    "Neuron",
    "Noise",
    "Normal",
    "Oja",
    "OneToOne",
    "OutputLayer",
    "PoissonDrive",
    "PoissonInput",
    "Population",
    "Pull",
    "SequenceDropout",
    "Sequential",
    "ShiftSTDP",
    "Source",
    "Sparse",
    "SpikeGenerator",
    "SpikeTimes",
    "Synapse",
    "Synapsis",
    "TripletSTDP",
    "Uniform",
    "VoltageHomeostasis",
    "bridge",
    "data",
    "dendrites",
    "encoders",
    "functional",
    "keep_memory",
    "load",
    "neurons",
    "plasticity",
    "plots",
    "rates",
    "recording",
    "register",
    "save",
    "structure",
    "surrogate",
    "synapses",
    "testing",
    "training",
    "wire_column",
    "wire_columns",
    "wire_layer",
]

__version__ = "0.1.0"

# They import lightning, matplotlib or torch's tests, or are not needed by every program.
_LATER = ("bridge", "data", "encoders", "plots", "rates", "recording", "testing", "training")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return importlib.import_module(f"conex_nn.{name}")
    raise AttributeError(f"module 'conex_nn' has no attribute {name!r}")

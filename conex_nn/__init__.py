"""Cortex-like spiking networks as torch modules, trained by local plasticity, surrogate gradients, or both.

| part | what it holds |
|---|---|
| `conex_nn.functional` | the mathematics: one step of each model, on plain tensors |
| `conex_nn.surrogate` | spike functions with surrogate derivatives |
| `conex_nn.neurons` | LIF, ELIF, AELIF, Izhikevich, IF, LI; snnTorch's neurons |
| `conex_nn.sequential` | chains of modules over sequences |
| `conex_nn.encoders` | dataset transforms from values to spikes |
| `conex_nn.data` | LightningDataModules |
| `conex_nn.training` | the LightningModule, metrics, reports |
| `conex_nn.recording` | spikes and state variables of a run |
| `conex_nn.plots` | pictures |
| `conex_nn.testing` | the laws that a model has to keep, for models of your own |
"""

import importlib
from typing import Any

from conex_nn import encoders, functional, neurons, surrogate
from conex_nn.memory import keep_memory
from conex_nn.neurons import AELIF, ELIF, IF, LI, LIF, FromSnnTorch, Izhikevich, Neuron
from conex_nn.sequential import SequenceDropout, Sequential

__all__ = [
    "AELIF",
    "ELIF",
    "IF",
    "LI",
    "LIF",
    "FromSnnTorch",
    "Izhikevich",
    "Neuron",
    "SequenceDropout",
    "Sequential",
    "data",
    "encoders",
    "functional",
    "keep_memory",
    "neurons",
    "plots",
    "recording",
    "surrogate",
    "testing",
    "training",
]

__version__ = "0.1.0"

_LATER = ("data", "plots", "recording", "testing", "training")  # they import lightning, matplotlib or torch's tests


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return importlib.import_module(f"conex_nn.{name}")
    raise AttributeError(f"module 'conex_nn' has no attribute {name!r}")

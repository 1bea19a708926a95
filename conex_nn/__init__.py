"""Cortex-like spiking networks as torch modules, trained by local plasticity, surrogate gradients, or both.

Networks
    Neocortex            A whole network: parts by name, connections among them, and the time step
    CorticalColumn       A column of cortex: layers by name, and connections among them
    CorticalLayer        A layer of cortex: excitatory and inhibitory populations, or any others, by name
    Population           Neurons of one kind with a dendrite, and what else happens to them in a step
    InputLayer           The populations through which input enters: sensory, and location for where it was seen
    OutputLayer          The populations in which results are read: representation, and motor for what is done about it
    Source               A population that emits what comes from outside: an encoder's spikes, or currents
    SpikeGenerator       Base of the populations that make their own spikes; a network takes no input for them
    PoissonInput         Neurons that fire at random and independently, all the time or for a while: thalamic volleys, a
                         background
    SpikeTimes           Neurons that fire at given times, in every sample of a batch
    Container            Populations and containers by name, connections among them, and ports
    Connection           A synapse between two populations, with its delays, its sign and the compartment that it
                         reaches
    Synapsis             The connections that one call of connect made, each by its name
    wire_layer           Connect the populations exc and inh of a layer as cortex does by default
    wire_column          Connect the layers of a column, and the populations inside each, as cortex does by default
    wire_columns         Connect one column to another as cortex does by default
    Sequential           A chain of modules over sequences, time first
    SequenceDropout      Dropout with one mask for the whole sequence; nn.Dropout draws one for each step

Neurons
    LIF                  Leaky integrate-and-fire neurons
    ELIF                 Exponential integrate-and-fire neurons
    AELIF                Exponential integrate-and-fire neurons with any number of adaptation currents
    Izhikevich           Izhikevich neurons; the defaults are a regular-spiking cell
    IF                   Perfect integrate-and-fire neurons
    LI                   Leaky integrators
    FromSnnTorch         A snnTorch neuron (Leaky, Synaptic, Alpha, Lapicque ...) as a neuron of ours
    Neuron               Base of all neuron models

What else happens in a population
    KWinners             Let at most k neurons fire in a step
    Noise                Noise on the membrane
    AdaptiveThreshold    Raise the threshold of each neuron with each of its spikes, so that no neuron wins all the time
    ActivityHomeostasis  Move each neuron's threshold until it fires at a given rate
    VoltageHomeostasis   Hold each neuron's potential in a range by an exhaustion that integrates how far it is outside
    Homeostasis          Move a constant of the neurons, each its own, until something measured lies in a range
    Background           A current that arrives at a population's neurons by itself: at a compartment, or injected into
                         the membrane
    PoissonDrive         Poisson arrivals at every neuron, independent of each other: a background of neurons that are
                         not simulated
    ConstantDrive        A constant current, as from an electrode
    Behavior             What happens at a named place of a population's step

Dendrites
    Dendrite             Compartments at which currents arrive; together they make the current into the membrane
    Compartment          One compartment of a dendrite
    Drive                A compartment whose current drives the membrane as it is, like a proximal dendrite's
    Conductance          A compartment whose synapses open a conductance, through which current flows toward a reversal
                         potential
    Pull                 A compartment that pulls the membrane toward a fraction of its threshold, like distal and
                         apical dendrites

Synapses
    Dense                All-to-all synapses, with neurons counted in the order of flatten
    OneToOne             One synapse per neuron, with neurons counted in the order of flatten
    Sparse               Synapses on the edges of a graph
    Conv2d               Convolution of a grid of channels, as nn.Conv2d without bias
    Local2d              Local receptive fields: a convolution whose kernel is not shared between positions
    Lateral              Synapses of every neuron from its neighbours, the same kernel around each: a 3-D convolution of
                         one channel
    AvgPool2d            Average pooling of each channel down to the target's height and width
    Synapse              Base of all synapses: current = f(weight, spikes), linear in both
    Uniform              A uniform distribution between two values
    Normal               A normal distribution
    LogNormal            A log-normal distribution: its logarithm is normal

Learning rules
    STDP                 Pair STDP: strengthens what fired before its target, weakens what fired after it
    TripletSTDP          Triplet STDP: pairs count by what either side did before, which explains the effect of the rate
    Clopath              Voltage-based STDP: sources weaken by the target's recent potential, and strengthen while it is
                         depolarised
    ISTDP                Symmetric STDP with a constant depression, which brings a neuron to a target rate
    RSTDP                Make R-STDP: pair STDP leaves an eligibility trace, and dopamine turns that into a change
    MSTDP                Make modulated STDP, without memory
    MSTDPET              Make modulated STDP with an eligibility trace
    ShiftSTDP            Additive STDP by time shift: a step of one side against the step before of the other
    Oja                  Hebbian growth with a decay that keeps weights finite
    BCM                  Weakens below and strengthens above a threshold that slides with the target's own activity

To keep
    save                 Save a network, a container or a population: its structure as JSON, its tensors beside it
    load                 Load what save saved, on the CPU and in train() mode
    register             Let files name a class or function of your own, so that networks with it can be saved and
                         loaded
    LoadWarning          What could not be loaded as it was saved
    keep_memory          Tell the C library to keep freed memory for the next tensor instead of giving it back to the
                         system

Parts, with more names
    encoders             Turn intensities and signals into spike trains or currents: callable modules on tensors, for a
                         sample or a batch
    data                 LightningDataModules: images, sequences and recordings of event cameras, in memory
    training             Train, test and report on spiking networks with Lightning and torchmetrics
    recording            Record what happens inside a network, and analyse it: plain functions on tensors (time, *batch,
                         *neurons)
    plots                Pictures of what came out: functions of data and recordings that draw on matplotlib axes and
                         return them
    plasticity           Local learning: rules for every wiring, bounds, constraints, neuromodulators, and the hook onto
                         any torch module
    rates                Rate networks: CTRNNs with areas, Dale's law, masks of synapses and of plasticity, and their
                         losses
    bridge               Between rate networks and spiking ones: the connectivity of either as the other's, and loops of
                         both
    testing              What a model has to hold to: the battery that ours pass, for yours
    structure            Populations, connections and containers, and the engine that runs the graph they make
    neurons              Neuron models: torch modules with an explicit state and one step
    synapses             Synapses: maps from spikes to currents, linear in a weight, and delays
    dendrites            Dendrites: compartments at which currents arrive, and what they do to the membrane
    surrogate            Spike functions: a Heaviside step forward, a surrogate derivative backward
    functional           The mathematics: pure functions on tensors, one step each
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

"""What the kernel of ring buffers knows, and what it leaves behind."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from conex_nn.dendrites import Conductance, Drive
from conex_nn.dendrites.compartment import capacitance, constant
from conex_nn.functional import mean_decay
from conex_nn.kernels import RingCells
from conex_nn.neurons import AELIF, ELIF, IF, LIF, ConstantDrive, Izhikevich, PoissonDrive
from conex_nn.structure.connection import Connection
from conex_nn.structure.population import PopulationState
from conex_nn.surrogate import Surrogate
from conex_nn.synapses import Dense, OneToOne, Sparse

__all__ = [
    "MODELS", "backgrounds", "driven", "dtypes_of", "knows_cells", "membrane_of", "moved", "objection", "weights_of",
]  # fmt: skip

MODELS = {LIF: "lif", IF: "lif", ELIF: "exponential", AELIF: "exponential", Izhikevich: "izhikevich"}
"""Models of neurons, by the kernel's names for what they need."""
_FARTHEST = 32767
"""Steps that the kernel can tell single edges apart by."""


def knows_cells(population: Any, *, on_gpu: bool = False) -> bool:
    """Whether a population is of neurons that the kernel knows, to which nothing that it does not know happens.

    Args:
        population: A population.
        on_gpu: Whether it is that of the GPU, which knows currents only.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> knows_cells(Population(2, LIF())), knows_cells(Population(2, LIF(noise=1.0)))
        (True, False)
    """
    neuron = population.neuron
    ours = type(neuron) in MODELS and isinstance(neuron.spike_fn, Surrogate) and not neuron._noisy
    arrives = {(type(each), each.compartment) for each in backgrounds(population)}
    drives = driven(population)
    if on_gpu and any(type(population.dendrite.compartments[name]) is Conductance for name in drives):
        return False
    fits = arrives <= {(ConstantDrive, None), *((kind, at) for kind in (ConstantDrive, PoissonDrive) for at in drives)}
    return ours and fits and not population._active() and bool(drives)


def objection(connection: Connection, target: Any) -> str | None:
    """Return why the kernel does not know a connection, whatever it learns; None where it does.

    Args:
        connection: The connection.
        target: The population that it reaches.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> objection(Connection(OneToOne(2, 2), "a", "b"), Population(2, LIF())) is None
        True
        >>> objection(Connection(OneToOne(2, 2), "a", "b", compartment="apical"), Population(2, LIF()))
        "reaches the compartment 'apical', which is none that drives the membrane whatever its potential"
    """
    synapse: Any = connection.synapse
    if type(synapse) not in (Dense, OneToOne, Sparse):
        return f"is of {type(synapse).__name__}, not Dense, OneToOne or Sparse"
    if connection.dendrite.maximum > 0:
        return "has delays of single targets, or one of its targets and a weight that changes at every step"
    if connection.compartment not in driven(target):
        return (
            f"reaches the compartment {connection.compartment!r}, which is none that drives the membrane whatever its "
            "potential"
        )
    if connection._first + connection._reach > _FARTHEST:
        return f"has delays of single synapses beyond {_FARTHEST} steps"
    return None


def driven(population: Any) -> list[str]:
    """Return the compartments whose current goes into the membrane whatever its potential, or opens a conductance.

    Args:
        population: A population.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> driven(Population(2, LIF()))
        ['proximal']
    """
    return [
        name
        for name, each in population.dendrite.compartments.items()
        if type(each) is Drive or (type(each) is Conductance and each.tau_syn is not None)
    ]


def membrane_of(population: Any, dt: float) -> Tensor | None:
    """Return what the kernel has to know of a membrane in which conductances open; None where it is nothing.

    Args:
        population: The population.
        dt: Length of a step [ms].

    Example:
        >>> from conex_nn.dendrites import Dendrite
        >>> from conex_nn.structure.population import Population
        >>> dendrite = Dendrite({"exc": Conductance(0.0, tau_syn=5.0)})
        >>> membrane_of(Population(2, LIF(tau_mem=10.0), dendrite=dendrite), 1.0).flatten()
        tensor([0.1000, 0.1000, 1.0000, 0.0000, 0.9516])
    """
    neuron, parts = population.neuron, population.dendrite.compartments.values()
    if neuron.method != "exact" or not any(type(each) is Conductance for each in parts):
        return None
    own, tau = capacitance(neuron), getattr(neuron, "tau_mem", None)
    leaks = (torch.zeros_like(own),) * 3 if tau is None else (dt / tau, own / tau, constant(neuron, "v_rest"))
    closed, leak, v_rest = leaks
    rows = torch.broadcast_tensors(closed, dt / own, leak, v_rest, mean_decay(closed))
    shape = rows[0].shape if rows[0].numel() == 1 else population.shape
    return torch.stack([row.detach().expand(shape).reshape(-1) for row in rows])


def backgrounds(population: Any) -> list[Any]:
    """Return what arrives by itself and is switched on.

    Args:
        population: At whose neurons.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> backgrounds(Population(2, LIF(), background=ConstantDrive(1.0)))
        [ConstantDrive(current=1)]
    """
    return [each for each in population.background.values() if each.enabled]


def dtypes_of(connections: Iterable[Connection], populations: Iterable[Any]) -> set[torch.dtype]:
    """Return the dtypes of constants and weights; the kernel reads all as one, but for half weights of a GPU.

    Args:
        connections: That are taken in.
        populations: That are advanced.

    Example:
        >>> dtypes_of([Connection(OneToOne(2, 2), "a", "b")], [])
        {torch.float32}
    """
    populations = list(populations)
    neurons: list[Any] = [population.neuron for population in populations]
    arriving = [each for population in populations for each in backgrounds(population)]
    constants = [x for neuron in neurons for x in (*neuron.buffers(), *neuron.parameters())]
    synapses: list[Any] = [connection.synapse for connection in connections]
    constants += [each.weight for each in synapses if not _half_on_gpu(each)]
    constants += [each.current if isinstance(each, ConstantDrive) else each.weight for each in arriving]
    return {x.dtype for x in constants if x.is_floating_point()}


def _half_on_gpu(synapse: Any) -> bool:
    return type(synapse) is Sparse and synapse.weight.is_cuda and synapse.weight.dtype == torch.bfloat16


def weights_of(connection: Connection) -> Tensor:
    """Return the weights in force, which are copied only where one that has to be a magnitude is negative.

    Args:
        connection: Whose.

    Example:
        >>> weights_of(Connection(OneToOne(2, 2, weight=torch.tensor([1.0, 2.0])), "a", "b"))
        tensor([1., 2.])
    """
    synapse: Any = connection.synapse
    weight = synapse.weight_in_force().detach()
    if not connection.magnitudes or not weight.numel() or bool(weight.min() >= 0):
        return weight
    magnitudes: Any = connection.weight
    return magnitudes.detach()


def moved(
    population: Any, state: PopulationState, cells: RingCells, currents: Mapping[str, Tensor | None], steps: int
) -> PopulationState:
    """Return the state of a population after a run.

    Args:
        population: The population.
        state: Its state before.
        cells: What the kernel was told of it, and has moved.
        currents: Synaptic currents after the run, by compartment; None where they do not decay [nA].
        steps: Number of steps [1].

    Example:
        >>> from conex_nn.structure.population import Population
        >>> population = Population(2, LIF())
        >>> state, v = population.initial_state(torch.zeros(1, 2)), torch.ones(1, 2)
        >>> moved(population, state, RingCells(2, "lif", v=v, refractory=0 * v), {}, 3).neuron.v
        tensor([[1., 1.]])
    """
    moved: dict[str, Any] = {"v": cells.v, "refractory": cells.refractory, "w": cells.w, "u": cells.w}
    fields = {name: moved[name].reshape(getattr(state.neuron, name).shape) for name in state.neuron._fields}
    if "refractory" in fields and not population.neuron._pauses:
        fields["refractory"] = state.neuron.refractory
    shape = state.neuron.v.shape
    decaying = {name: current.reshape(shape) for name, current in currents.items() if current is not None}
    background = tuple(
        before._replace(step=before.step + steps) if type(each) is PoissonDrive and each.enabled else before
        for each, before in zip(population.background.values(), state.background, strict=True)
    )
    return state._replace(
        neuron=type(state.neuron)(**fields), dendrite={**state.dendrite, **decaying}, background=background
    )

"""The networks after Vogels and Abbott in Brian2, each as a program that it writes, compiles and starts."""

import atexit
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import torch

import conex_nn as cx
from tasks.balanced.vogels_abbott import Coba, Cuba

__all__ = ["coba", "cuba"]


def brian() -> Any:
    """Return Brian2.

    Version 2.9, the last for Python 3.11, reads a method of arrays that NumPy 2.4 has no more; it is there while Brian2
    is imported.

    Raises:
        ImportError: Brian2 is not installed.
    """
    if hasattr(np.ndarray, "ptp"):
        return importlib.import_module("brian2")
    for name in ("numpy.random", "sympy", "jinja2", "pyparsing"):  # these are to see the arrays as they are
        importlib.import_module(name)
    with mock.patch.object(np, "ndarray", type("ndarray", (np.ndarray,), {"ptp": np.ptp})):
        return importlib.import_module("brian2")


def program(*, dt: float, seed: int) -> tuple[Any, str]:
    """Return Brian2, which will write a program, and the folder for it.

    Args:
        dt: Length of a step [ms].
        seed: Seed of all that the program draws [1].

    Raises:
        ImportError: Brian2 is not installed, or there is no C++ compiler.
    """
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise ImportError("there is no C++ compiler")
    b = brian()
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    b.device.reinit()
    b.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b.defaultclock.dt = dt * b.ms
    b.seed(seed)
    return b, folder


def cuba(network: Cuba, *, duration: float, dt: float, seed: int) -> Callable[[], tuple[float, float]]:
    """Compile the network into a program, of one thread as is Brian2's default.

    Args:
        network: Its numbers.
        duration: For how long the program simulates [ms].
        dt: Length of a step [ms].
        seed: Seed of all it draws [1].

    Returns:
        What runs the program once, and returns the seconds of its main loop and the mean rate of its cells [Hz].

    Raises:
        ImportError: Brian2 is not installed, or there is no C++ compiler.
    """
    b, folder = program(dt=dt, seed=seed)
    constants = {"v_rest": network.v_rest, "v_threshold": network.v_threshold, "v_reset": network.v_reset}
    times = dict(zip(("tau_mem", "tau_exc", "tau_inh"), (network.tau_mem, *network.tau_syn), strict=True))
    cells = b.NeuronGroup(
        network.excitatory + network.inhibitory,
        """
        dv/dt = (excitation - inhibition + v_rest - v) / tau_mem : volt (unless refractory)
        dexcitation/dt = -excitation / tau_exc : volt
        dinhibition/dt = -inhibition / tau_inh : volt
        """,
        threshold="v > v_threshold",
        reset="v = v_reset",
        refractory=network.refractory * b.ms,
        method="exact",
        namespace={name: x * b.mV for name, x in constants.items()} | {name: x * b.ms for name, x in times.items()},
    )
    cells.v = "v_reset + rand() * (v_threshold - v_reset)"
    parts = {"excitation": cells[: network.excitatory], "inhibition": cells[network.excitatory :]}
    synapses = []
    for (variable, source), weight in zip(parts.items(), network.weights, strict=True):
        synapses.append(b.Synapses(source, cells, on_pre=f"{variable} += {weight} * mV"))
        synapses[-1].connect(p=network.connected)
    spikes = b.SpikeMonitor(cells)
    b.Network(cells, *synapses, spikes).run(duration * b.ms)
    b.device.build(directory=folder, compile=True, run=False)

    def run() -> tuple[float, float]:
        b.device.run(directory=folder, with_output=False)
        return float(b.device._last_run_time), 1000 * int(spikes.num_spikes) / len(cells) / duration

    return run


def coba(network: Coba, *, transient: float, duration: float, dt: float, seed: int) -> cx.recording.Events:
    """Run the COBA benchmark; potentials and conductances advance by Runge and Kutta's method of fourth order.

    Args:
        network: Its numbers.
        transient: Time that passes before [ms].
        duration: Time for which spikes are kept [ms].
        dt: Length of a step [ms].
        seed: Seed of all it draws [1].

    Returns:
        Spikes of the excitatory cells.

    Raises:
        ImportError: Brian2 is not installed, or there is no C++ compiler.
    """
    b, folder = program(dt=dt, seed=seed)
    potentials = {"v_rest": network.v_rest, "v_threshold": network.v_threshold}
    potentials |= dict(zip(("v_exc", "v_inh"), network.reversals, strict=True))
    times = dict(zip(("tau_mem", "tau_exc", "tau_inh"), (network.tau_mem, *network.tau_syn), strict=True))
    cells = b.NeuronGroup(
        network.excitatory + network.inhibitory,
        """
        dv/dt = (v_rest - v + excitation * (v_exc - v) + inhibition * (v_inh - v)) / tau_mem : volt (unless refractory)
        dexcitation/dt = -excitation / tau_exc : 1
        dinhibition/dt = -inhibition / tau_inh : 1
        """,
        threshold="v > v_threshold",
        reset="v = v_rest",
        refractory=network.refractory * b.ms,
        method="rk4",
        namespace={name: x * b.mV for name, x in potentials.items()} | {name: x * b.ms for name, x in times.items()},
    )
    draw = np.random.default_rng(seed)
    cells.v = draw.normal(*network.first_potential, size=len(cells)) * b.mV
    parts = {"excitation": cells[: network.excitatory], "inhibition": cells[network.excitatory :]}
    synapses = []
    for (name, source), weight, (mean, spread) in zip(
        parts.items(), network.weights, network.first_conductances, strict=True
    ):
        setattr(cells, name, network.resistance * draw.normal(mean, spread, size=len(cells)).clip(min=0))
        synapses.append(b.Synapses(source, cells, on_pre=f"{name} += {network.resistance * weight}"))
        synapses[-1].connect(p=network.connected)
    spikes = b.SpikeMonitor(parts["excitation"])
    b.Network(cells, *synapses, spikes).run((transient + duration) * b.ms)
    b.device.build(directory=folder, compile=True, run=True, with_output=False)
    step = torch.as_tensor(np.asarray(spikes.t / b.ms) / dt).round().long() - round(transient / dt)
    step, neuron = step[step >= 0], torch.as_tensor(np.asarray(spikes.i)).long()[step >= 0]
    shape = torch.Size((network.excitatory,))
    return cx.recording.Events(step, torch.zeros_like(step), neuron, round(duration / dt), shape, dt=dt)

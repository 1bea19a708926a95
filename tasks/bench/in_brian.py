"""The CUBA benchmark in Brian2's C++ standalone mode, which writes, compiles and starts a program."""

import atexit
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from tasks import balanced

__all__ = ["cuba"]


def brian() -> Any:
    """Return Brian2.

    Version 2.9, the last for Python 3.11, reads a method of arrays that NumPy 2.4 has no more; it is there while Brian2
    is imported.

    Raises:
        ImportError: Brian2 is not installed, or there is no C++ compiler.
    """
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise ImportError("there is no C++ compiler")
    if hasattr(np.ndarray, "ptp"):
        return importlib.import_module("brian2")
    for name in ("numpy.random", "sympy", "jinja2", "pyparsing"):  # these are to see the arrays as they are
        importlib.import_module(name)
    with mock.patch.object(np, "ndarray", type("ndarray", (np.ndarray,), {"ptp": np.ptp})):
        return importlib.import_module("brian2")


def cuba(network: balanced.Cuba, *, duration: float, dt: float, seed: int) -> Callable[[], tuple[float, float]]:
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
    b = brian()
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    b.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b.defaultclock.dt = dt * b.ms
    b.seed(seed)
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

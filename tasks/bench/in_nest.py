"""Networks of spiking neurons in NEST, from the numbers that ours are made from."""

import importlib
from collections.abc import Sequence
from typing import Any

import torch

import conex_nn as cx
from tasks.balanced.brunel import Regime
from tasks.microcircuit import circuit as pd14

__all__ = ["balanced_network", "measured", "microcircuit"]

PICO = 1000
"""Picoamperes in a nanoampere."""


def kernel(*, threads: int, dt: float, seed: int) -> Any:
    """Return NEST with nothing in it.

    Args:
        threads: On how many threads it runs [1].
        dt: Length of a step [ms].
        seed: Seed of all it draws, above 0 [1].

    Raises:
        ImportError: NEST is not installed.
    """
    nest: Any = importlib.import_module("nest")
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.local_num_threads = threads
    nest.resolution = dt
    nest.rng_seed = seed
    return nest


def microcircuit(circuit: pd14.Circuit, *, threads: int, dt: float, seed: int) -> tuple[Any, list[Any]]:
    """Build the cortical microcircuit.

    Args:
        circuit: Its numbers.
        threads: On how many threads it runs [1].
        dt: Length of a step [ms].
        seed: Seed of all it draws, above 0 [1].

    Returns:
        NEST, and the populations.
    """
    nest = kernel(threads=threads, dt=dt, seed=seed)
    membrane = {
        "C_m": pd14.CAPACITANCE, "tau_m": pd14.TAU_MEM, "E_L": pd14.V_REST, "V_reset": pd14.V_RESET,
        "V_th": pd14.V_THRESHOLD, "t_ref": pd14.REFRACTORY, "tau_syn_ex": pd14.TAU_SYN, "tau_syn_in": pd14.TAU_SYN,
    }  # fmt: skip
    populations = []
    for i, neurons in enumerate(circuit.neurons):
        cells = nest.Create("iaf_psc_exp", neurons, params=membrane | {"I_e": PICO * float(circuit.current[i])})
        cells.V_m = nest.random.normal(circuit.first_potential[i], circuit.first_spread[i])
        populations.append(cells)
        if circuit.background_rate[i] > 0:
            outside = nest.Create("poisson_generator", params={"rate": float(circuit.background_rate[i])})
            nest.Connect(outside, cells, "all_to_all", {"weight": PICO * circuit.background_weight, "delay": dt})
    for i, j in circuit.synapses.nonzero().tolist():
        sign = -1 if circuit.inhibitory(circuit.names[j]) else 1
        mean, delay = sign * PICO * float(circuit.weight[i, j]), circuit.delay[j]
        bounds = {"min": 0.0, "max": float("inf")} if sign > 0 else {"min": -float("inf"), "max": 0.0}
        weights = nest.random.normal(mean, abs(mean) * circuit.weight_spread)
        delays = nest.random.normal(delay, delay * circuit.delay_spread)
        nest.Connect(
            populations[j],
            populations[i],
            {"rule": "fixed_total_number", "N": int(circuit.synapses[i, j])},
            {
                "weight": nest.math.redraw(weights, **bounds),
                "delay": nest.math.redraw(delays, min=dt / 2, max=float("inf")),  # it rounds to whole steps
            },
        )
    return nest, populations


def balanced_network(regime: Regime, *, threads: int, dt: float, seed: int) -> tuple[Any, list[Any]]:
    """Build Brunel's network with delta synapses.

    Args:
        regime: Its numbers.
        threads: On how many threads it runs [1].
        dt: Length of a step [ms].
        seed: Seed of all it draws, above 0 [1].

    Returns:
        NEST, and the excitatory and the inhibitory population.
    """
    nest = kernel(threads=threads, dt=dt, seed=seed)
    membrane = {
        "C_m": 1.0, "tau_m": regime.tau_mem, "E_L": 0.0, "V_m": 0.0, "V_reset": regime.v_reset,
        "V_th": regime.v_threshold, "t_ref": regime.refractory,
    }  # fmt: skip
    cells = [nest.Create("iaf_psc_delta", n, params=membrane) for n in (regime.excitatory, regime.inhibitory)]
    outside = nest.Create("poisson_generator", params={"rate": regime.background_rate})
    for source, degree, weight in (
        (cells[0], regime.in_degrees[0], regime.jump),
        (cells[1], regime.in_degrees[1], -regime.g * regime.jump),
    ):
        for target in cells:
            rule = {"rule": "fixed_indegree", "indegree": degree}
            nest.Connect(source, target, rule, {"weight": weight, "delay": regime.delay})
    for target in cells:
        nest.Connect(outside, target, "all_to_all", {"weight": regime.jump, "delay": dt})
    return nest, cells


def measured(nest: Any, populations: Sequence[Any], *, transient: float, duration: float) -> list[cx.recording.Events]:
    """Run, and return the spikes of each population.

    Args:
        nest: NEST with a network in it.
        populations: Its populations.
        transient: Time that passes before [ms].
        duration: Time for which spikes are kept [ms].
    """
    recorders = []
    for cells in populations:
        recorders.append(nest.Create("spike_recorder", params={"start": transient}))
        nest.Connect(cells, recorders[-1])
    nest.Simulate(transient + duration)
    found = []
    for recorder, cells in zip(recorders, populations, strict=True):
        events = recorder.get("events")
        times = torch.as_tensor(events["times"], dtype=torch.float64) - transient
        steps, order = ((times / nest.resolution).round().long() - 1).sort(stable=True)
        neurons = torch.as_tensor(events["senders"]).long()[order] - cells[0].global_id
        found.append(
            cx.recording.Events(
                steps,
                torch.zeros_like(steps),
                neurons,
                round(duration / nest.resolution),
                torch.Size((len(cells),)),
                dt=nest.resolution,
            )
        )
    return found

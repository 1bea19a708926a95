"""What the tests of convergence share: the fitted order, and spike trains of an accurate solution with resets."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.integrate import solve_ivp


def order(dts: Sequence[float], errors: Sequence[float]) -> float:
    """The slope of log error against log dt."""
    return float(np.polyfit(np.log(dts), np.log(errors), 1)[0])


def reference_value(slope: Callable, start: Sequence[float], time: float) -> torch.Tensor:
    """The solution of an equation at a time."""
    solution = solve_ivp(slope, (0, time), start, rtol=1e-11, atol=1e-12, method="DOP853")
    return torch.from_numpy(solution.y[:, -1].copy())


def reference_spikes(slope: Callable, start: Sequence[float], peak: float, jump: Callable, count: int) -> torch.Tensor:
    """The first spike times of an equation whose first variable is reset by `jump` on reaching `peak`."""

    def event(t, y):
        return y[0] - peak

    event.terminal, event.direction = True, 1
    time, y, times = 0.0, list(start), []
    while len(times) < count:
        solution = solve_ivp(slope, (time, time + 1000), y, rtol=1e-9, atol=1e-10, events=event)
        time, y = solution.t_events[0][0], jump(solution.y_events[0][0])
        times.append(time)
    return torch.tensor(times, dtype=torch.float64)


def spike_times(spikes: torch.Tensor, dt: float, count: int) -> torch.Tensor:
    """The first spike times of each neuron of `(time, neurons)`, taken as the ends of their steps; (neurons, count)."""
    return torch.stack([(column.nonzero().flatten()[:count] + 1) * dt for column in spikes.unbind(1)])

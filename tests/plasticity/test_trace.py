"""Traces beside a plain loop."""

import math

import pytest
import torch

from conex_nn.plasticity import anticausal, smooth, trace


def _reference(signal, start, decay, nearest, gain=1.0):
    values, x = [], start
    for s in signal:
        x = torch.maximum(x * decay, s * gain) if nearest else x * decay + s * gain
        values.append(x)
    return torch.stack(values)


@pytest.mark.parametrize("steps", [1, 2, 40])
@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_trace_is_its_recursion(steps, nearest, dtype):
    signal = (torch.rand(steps, 3, 5) < 0.3).to(dtype)
    start = torch.rand(3, 5).to(dtype)
    values, last = trace(signal, start, tau=8.0, dt=0.5, nearest=nearest)
    expected = _reference(signal.double(), start.double(), math.exp(-0.5 / 8), nearest)
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.1}[dtype]
    torch.testing.assert_close(values.double(), expected, rtol=tolerance, atol=tolerance)
    assert torch.equal(last, values[-1])
    assert last.dtype == dtype


def test_in_two_parts():
    signal, zero = torch.rand(9, 2).double(), torch.zeros(2).double()
    whole, last = trace(signal, zero, tau=3.0, dt=1.0)
    first, carried = trace(signal[:4], zero, tau=3.0, dt=1.0)
    second, end = trace(signal[4:], carried, tau=3.0, dt=1.0)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(end, last)


@pytest.mark.parametrize("steps", [1, 500])
@pytest.mark.parametrize("nearest", [False, True])
def test_what_has_long_decayed_is_zero(steps, nearest):
    x = torch.full((3,), 1.1e-30)
    for _ in range(3):
        _, x = trace(torch.zeros(steps, 3), x, tau=5.0, dt=1.0, nearest=nearest)
    assert not x.any()


def test_smooth_reaches_what_is_constant():
    values, _ = smooth(torch.ones(400, 1).double(), torch.zeros(1).double(), tau=10.0, dt=1.0)
    torch.testing.assert_close(values[9], torch.tensor([1 - math.exp(-1)]).double())
    torch.testing.assert_close(values[-1], torch.ones(1).double())


def test_anticausal_is_the_sum_over_the_future():
    signal = torch.rand(20, 3).double()
    expected = [sum(math.exp(-(t - s) * 0.5 / 4) * signal[t] for t in range(s, 20)) for s in range(20)]
    torch.testing.assert_close(anticausal(signal, tau=4.0, dt=0.5), torch.stack(expected))

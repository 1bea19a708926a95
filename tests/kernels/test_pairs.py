"""Changes by all pairs of spikes of a sequence, against the rule carried out step by step."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from conex_nn.kernels import Learning, PackedSpikes, pair_change

KEEP = {"keep_pre": 0.9, "keep_post": 0.8}


def spikes_of(steps: int, batch: int, n: int, density: float, dtype: torch.dtype = torch.float64) -> Tensor:
    return (torch.rand(steps, batch, n) < density).to(dtype)


def packed(spikes: Tensor, keep: float, *, nearest: bool = False) -> PackedSpikes:
    found = PackedSpikes.of(spikes, torch.zeros_like(spikes[0]), keep=keep, nearest=nearest)
    assert found is not None
    return found


def reference(weight: Tensor, pre: Tensor, post: Tensor, rule: Learning) -> tuple[Tensor, Tensor, Tensor]:
    """The change, and both traces at the end: one step at a time."""
    x, y = rule.trace_pre, rule.trace_post
    ups, downs = torch.zeros_like(weight), torch.zeros_like(weight)
    for t, (s, r) in enumerate(zip(pre, post, strict=True)):
        x, y = x * rule.keep_pre, y * rule.keep_post
        x, y = (torch.maximum(x, s), torch.maximum(y, r)) if rule.nearest else (x + s, y + r)
        d = torch.ones(len(s)).to(s) if rule.modulator is None else rule.modulator[t]
        ups += (d[:, None] * x).mT @ r
        downs += (d[:, None] * s).mT @ (y + rule.shift)

    def bounded(sums: Tensor, up: bool) -> Tensor:
        above, below = (rule.w_max - weight).clamp(min=0), (weight - rule.w_min).clamp(min=0)
        if rule.bound == "none":
            return sums
        return sums * (above * below if rule.bound == "product" else (above if up else below) ** rule.mu)

    change = rule.plus * bounded(ups, rule.plus_up) + rule.minus * bounded(downs, rule.minus_up)
    return change / pre.shape[1], x, y


VARIANTS: list[dict[str, Any]] = [
    {},
    {"nearest": True},
    {"shift": -0.3},
    {"bound": "soft"},
    {"bound": "soft", "mu": 0.5, "nearest": True},
    {"bound": "product", "plus_up": False, "minus_up": True},
    {"bound": "soft", "plus_up": False, "minus_up": True},
]


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("densities", [(0.1, 0.5), (0.5, 0.1), (0.0, 0.2), (0.3, 0.0), (1.0, 1.0)])
@pytest.mark.parametrize(("steps", "batch", "n", "m"), [(7, 3, 70, 9), (1, 1, 1, 1), (6, 2, 64, 128), (9, 1, 5, 77)])
def test_a_sequence_is_its_steps(options, begins, modulated, densities, steps, batch, n, m):
    pre, post = spikes_of(steps, batch, n, densities[0]), spikes_of(steps, batch, m, densities[1])
    rule = Learning(
        begins * torch.rand(batch, n).double(), begins * torch.rand(batch, m).double(), **KEEP, plus=0.7, minus=-0.4,
        w_min=-0.1, w_max=1.1, modulator=torch.randn(steps, batch).double() if modulated else None, **options,
    )  # fmt: skip
    weight = 1.4 * torch.rand(n, m).double() - 0.2  # some outside of the bounds
    expected, *after = reference(weight, pre, post, rule)
    sides = []
    for side, trace, keep, end in zip(
        (pre, post), (rule.trace_pre, rule.trace_post), KEEP.values(), after, strict=True
    ):
        moved = trace.clone()
        sides.append(PackedSpikes.of(side, moved, keep=keep, nearest=rule.nearest))
        assert_close(moved, end, rtol=1e-12, atol=1e-12)
    before = [trace.clone() for trace in (rule.trace_pre, rule.trace_post)]
    assert_close(pair_change(weight, *sides, rule), expected, rtol=1e-10, atol=1e-10)
    assert all(torch.equal(a, b) for a, b in zip(before, (rule.trace_pre, rule.trace_post), strict=True))
    onto = weight.clone()
    assert pair_change(onto, *sides, rule, onto) is onto
    assert_close(onto, weight + expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("neurons", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_packed_spikes_are_the_spikes(neurons, dtype):
    for density in (0.0, 0.2, 1.0):
        spikes = spikes_of(5, 3, neurons, density, dtype)
        found = packed(spikes, 0.5)
        assert torch.equal(found.spikes(dtype), spikes)
        assert torch.equal(found.counts, spikes.sum((0, 2)).long())
        assert found.is_sparse == (density == 0.0)
    parts = PackedSpikes.joined([packed(part, 0.5) for part in spikes.split(2)])
    assert torch.equal(parts.spikes(dtype), spikes)
    assert torch.equal(parts.counts, spikes.sum((0, 2)).long())


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_spike_is_not_packed(value):
    spikes = spikes_of(5, 3, 70, 0.2)
    spikes[3, 1, 66] = value
    assert PackedSpikes.of(spikes, torch.zeros(3, 70).double(), keep=0.5) is None


def test_threads_do_not_matter():
    pre, post = packed(spikes_of(90, 32, 700, 0.1, torch.float32), 0.9), packed(spikes_of(90, 32, 90, 0.09), 0.8)
    rule = Learning(torch.zeros(32, 700), torch.zeros(32, 90), **KEEP, plus=0.7, minus=-0.4, bound="soft", shift=0.1)
    weight, before, found = torch.rand(700, 90), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 2, 3, 2):
            torch.set_num_threads(threads)
            found.append(pair_change(weight, pre, post, rule))
    finally:
        torch.set_num_threads(before)
    assert found[0].any()
    assert all(torch.equal(found[0], each) for each in found)


def test_silence_after_a_spike_makes_no_denormals():
    pre, post = torch.zeros(6000, 1, 3), torch.zeros(6000, 1, 2)
    pre[0], post[-1] = 1, 1
    trace = torch.zeros(1, 3)
    PackedSpikes.of(pre, trace, keep=0.98)
    rule = Learning(torch.zeros(1, 3), torch.zeros(1, 2), keep_pre=0.98, keep_post=0.9, plus=1.0, minus=0.0)
    assert torch.equal(trace, torch.zeros(1, 3))
    assert torch.equal(pair_change(torch.zeros(3, 2), packed(pre, 0.98), packed(post, 0.9), rule), torch.zeros(3, 2))

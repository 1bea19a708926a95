"""Delta modulation: what events say of a signal."""

import math

import pytest
import torch
from snntorch import spikegen
from torch.testing import assert_close

from conex_nn.encoders import Delta


def waves(steps: int = 400, *shape: int) -> torch.Tensor:
    """Sums of sines, of which none is fast."""
    t = torch.arange(steps).view(-1, *[1] * len(shape)) / steps
    phase, amplitude = torch.rand(2, 3, *shape)[:, :, None]
    return sum(amplitude[k] * torch.sin(2 * math.pi * ((k + 1) * t + phase[k])) for k in range(3))


def _reference(signal: list[float], threshold: float, most: int | None) -> list[int]:
    said, events = signal[0], [0]
    for value in signal[1:]:
        n = 0
        while abs(value - said - math.copysign(n * threshold, value - said)) >= threshold - 1e-6 * (
            abs(value) + threshold
        ) and (most is None or n < most):
            n += 1
        event = int(math.copysign(n, value - said))
        said += event * threshold
        events.append(event)
    return events


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("threshold", [0.05, 0.25, 3.0])
def test_it_is_its_definition(counts, threshold):
    signal = waves(100, 4).double()
    on, off = Delta(threshold, counts=counts)(signal).chunk(2, -1)
    expected = [_reference(column, threshold, None if counts else 1) for column in signal.T.tolist()]
    assert (on - off).T.tolist() == expected
    assert not (on * off).any()


@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_slow_signal_comes_back_within_the_threshold(threshold, dtype):
    signal = waves(1000, 5).to(dtype)
    assert signal.diff(dim=0).abs().max() <= threshold
    encoder = Delta(threshold)
    error = encoder.decode(encoder(signal), start=signal[0]) - signal
    assert error.abs().max() <= threshold * (1 + 1e-4)
    assert error.abs().max() > 0.9 * threshold  # the bound is reached


def test_with_counts_every_signal_does():
    signal = torch.randn(300, 7) * 3
    encoder = Delta(0.1, counts=True)
    error = encoder.decode(encoder(signal), start=signal[0]) - signal
    assert error.abs().max() <= 0.1 * (1 + 1e-3)


def test_a_jump_is_caught_up_with():
    signal = torch.cat([torch.zeros(3, 1), torch.ones(20, 1)])
    encoder = Delta(0.1)
    decoded = encoder.decode(encoder(signal))
    assert_close(decoded[3:13, 0], torch.arange(1, 11) / 10)
    assert_close(decoded[13:], signal[13:])


@pytest.mark.parametrize(("dtype", "most"), [(torch.uint8, 255), (torch.bfloat16, 256), (torch.float16, 2048)])
def test_more_events_than_a_type_counts_are_caught_up_with(dtype, most):
    signal = torch.tensor([0.0, 1.0, 1.0, -2.0]).repeat_interleave(3)[:, None] * most
    encoder = Delta(0.5, counts=True, dtype=dtype)
    events = encoder(signal)
    assert events.max() == most
    assert_close(encoder.decode(events)[[2, 5, 8]], signal[[2, 5, 8]])


def test_a_slow_drift_is_told():
    """snnTorch's looks at the step before alone, and is silent."""
    drift = torch.linspace(0, 1, 1000)[:, None]
    assert Delta(0.1)(drift).sum() == 10
    assert spikegen.delta(drift, threshold=0.1, padding=True).sum() == 0


def test_it_is_snntorch_where_changes_are_whole_thresholds():
    signal = torch.randint(-1, 2, (200, 6)).cumsum(0).float() * 0.5
    on, off = Delta(0.5)(signal).chunk(2, -1)
    assert_close(on - off, spikegen.delta(signal, threshold=0.5, padding=True, off_spike=True))


@pytest.mark.parametrize(("dim", "shape"), [(-1, (10, 3, 4, 10)), (-3, (10, 6, 4, 5)), (-2, (10, 3, 8, 5))])
def test_off_follows_on_where_asked(dim, shape):
    signal = torch.randn(10, 3, 4, 5)
    encoder = Delta(0.3, dim=dim)
    events = encoder(signal)
    assert events.shape == shape
    in_batch = encoder(signal[:, None].expand(10, 2, 3, 4, 5))
    assert_close(in_batch[:, 1], events, rtol=0, atol=0)
    assert encoder.decode(events).shape == signal.shape


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.bfloat16])
def test_compact_events_are_the_same(dtype):
    signal = waves(50, 4)
    compact = Delta(0.1, dtype=dtype)(signal)
    assert compact.dtype == dtype
    assert_close(compact.float(), Delta(0.1)(signal))
    assert_close(Delta(0.1).decode(compact), Delta(0.1).decode(Delta(0.1)(signal)))


def test_the_signal_is_unchanged_and_zeros_have_no_sign():
    signal = waves(50, 4)
    before = signal.clone()
    events = Delta(0.1)(signal)
    assert_close(signal, before, rtol=0, atol=0)
    assert not torch.signbit(events).any()


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(5), ValueError, r"Expected `x` to have the shape \(time, \*features\).*got \(5,\)"),
        (torch.zeros(0, 3), ValueError, r"at least one step.*got \(0, 3\)"),
        (torch.tensor([[0.0], [torch.nan]]), ValueError, "Expected `x` to be finite"),
        (torch.zeros(5, 2, dtype=torch.bool), TypeError, "got torch.bool. Events are not encoded again"),
        ([[0.0]], TypeError, "Expected `x` to be a tensor, got list|parameter 'x'"),
    ],
)
def test_what_is_no_signal_is_refused(x, error, message):
    with pytest.raises(error, match=message):
        Delta(0.1)(x)


def test_options_that_do_not_work_are_refused():
    with pytest.raises(ValueError, match=r"Expected `threshold` to be positive and finite \[1\], got -1.0"):
        Delta(-1.0)
    with pytest.raises(ValueError, match=r"Expected `dim` to be negative, counted from the back.*got 1"):
        Delta(1.0, dim=1)
    with pytest.raises(TypeError, match=r"Expected `dtype` to hold `counts`, got torch.bool"):
        Delta(1.0, counts=True, dtype=torch.bool)
    with pytest.raises(TypeError, match="Expected `dtype` to be a floating type"):
        Delta(1.0, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"two halves of dimension -1, got the shape \(5, 3\)"):
        Delta(1.0).decode(torch.zeros(5, 3))


@pytest.mark.compile
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_compiles_without_a_graph_break(backend):
    signal, encoder = waves(12, 4), Delta(0.1)
    assert_close(torch.compile(encoder, fullgraph=True, backend=backend)(signal), encoder(signal))


def test_on_the_meta_device():
    assert Delta(0.1)(torch.zeros(5, 3, device="meta")).shape == (5, 6)
    assert repr(Delta(0.1, counts=True)) == "Delta(threshold=0.1, dim=-1, counts=True)"

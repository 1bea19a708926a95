"""Poisson arrivals at every neuron: their statistics, their stream, and what they refuse."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.functional import poisson_counts, random_bits
from conex_nn.neurons import Background, ConstantDrive, PoissonDrive

SHAPE = torch.Size([3, 50])


def drive(shape=SHAPE, **options):
    made = PoissonDrive(**{"rate": 8000.0, "weight": 1.0, "seed": 5, **options})
    made.bind(shape)
    return made


def arrivals(made, steps, batch=(), *, dt=0.1, state=None):
    x = torch.zeros(*batch, *made.shape, dtype=made.weight.dtype)
    return made(made.initial_state(x) if state is None else state, steps, x, dt=dt)


# Is it true?


def test_numbers_of_arrivals_are_poisson_at_every_neuron():
    counts = arrivals(drive(), 20_000)[0].flatten(1).double()
    assert_close(counts.mean(0), torch.full((150,), 0.8).double(), rtol=0, atol=5 * (0.8 / 2e4) ** 0.5)
    assert_close(counts.var(0), torch.full((150,), 0.8).double(), rtol=0, atol=5 * ((0.8 + 2 * 0.64) / 2e4) ** 0.5)


def test_neurons_samples_and_steps_are_independent():
    counts = arrivals(drive(torch.Size([6])), 20_000, (4,))[0]
    every = torch.corrcoef(counts.flatten(1).T) - torch.eye(24)
    assert every.abs().max() < 5 / 2e4**0.5
    for lag in (1, 2, 7):
        one, other = counts[lag:].flatten(1), counts[:-lag].flatten(1)
        together = torch.corrcoef(torch.cat([one, other], 1).T)[:24, 24:]
        assert together.abs().max() < 5 / 2e4**0.5


def test_what_an_arrival_brings_and_how_many_there_are_may_differ_per_neuron():
    rate = torch.tensor([0.0, 500.0, 8000.0, 500.0])
    weight = torch.tensor([1.0, 2.0, -0.5, 0.25])
    found = arrivals(drive(torch.Size([4]), rate=rate, weight=weight), 50_000, dt=1.0)[0]
    expected = weight * rate / 1000
    assert_close(found.mean(0), expected, rtol=0, atol=5 * (8 / 5e4) ** 0.5)
    assert not found[:, 0].any()
    assert not ((found / weight.clamp(min=-9)) % 1).any()  # whole numbers of arrivals


def test_it_is_the_pure_function_of_seed_step_sample_and_neuron():
    made = drive(torch.Size([2, 3]), weight=0.5, seed=2**40 + 1)
    found, state = arrivals(made, 7, (2,))
    table, row = made.thresholds(dt=0.1)
    step, sample, neuron = torch.arange(7).view(-1, 1, 1, 1), torch.arange(2).view(-1, 1, 1), torch.arange(6).view(2, 3)
    bits = random_bits(torch.tensor(2**40 + 1), step, sample, neuron)
    assert_close(found, 0.5 * poisson_counts(bits, table, row).float(), rtol=0, atol=0)
    assert state.step == 7


# Is it lawful?


def test_going_on_from_a_state_goes_on_with_the_stream():
    made = drive()
    whole, end = arrivals(made, 60, (2,))
    first, state = arrivals(made, 23, (2,))
    second, state = arrivals(made, 37, (2,), state=state)
    assert torch.equal(torch.cat([first, second]), whole)
    assert all(torch.equal(one, other) for one, other in zip(state, end, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rate", [900.0, 2e6, torch.logspace(0, 6, 50)])
def test_the_kernel_draws_what_torch_does_and_pieces_join(rate, dtype, threads, monkeypatch):
    made, before = drive(rate=rate).to(dtype), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found, after = arrivals(made, 200, (2,))
    finally:
        torch.set_num_threads(before)
    monkeypatch.setattr("conex_nn.neurons.draws.draws_here", lambda like: False)
    monkeypatch.setattr("conex_nn.neurons.draws._AT_ONCE", 7 * 300)
    expected, state = arrivals(made, 200, (2,))
    assert found.dtype == dtype
    assert found.any()
    assert torch.equal(found, expected)
    assert all(torch.equal(one, other) for one, other in zip(state, after, strict=True))


def test_samples_are_drawn_by_their_number():
    made = drive()
    whole, _ = arrivals(made, 9, (3,))
    state = made.initial_state(torch.zeros(2, *SHAPE))
    some, _ = made(state._replace(sample=torch.tensor([2, 1])), 9, torch.zeros(2, *SHAPE), dt=0.1)
    assert torch.equal(some, whole[:, [2, 1]])


def test_seeds():
    made = drive(seed=None)
    torch.manual_seed(1)
    one, two = arrivals(made, 20)[0], arrivals(made, 20)[0]
    torch.manual_seed(1)
    assert torch.equal(arrivals(made, 20)[0], one)
    assert not torch.equal(one, two)
    assert torch.equal(arrivals(drive(seed=5), 20)[0], arrivals(drive(seed=5), 20)[0])
    assert not torch.equal(arrivals(drive(seed=5), 20)[0], arrivals(drive(seed=6), 20)[0])


def test_a_changed_rate_counts():
    made = drive()
    before = arrivals(made, 20)[0]
    made.rate.fill_(0.0)
    assert before.any()
    assert not arrivals(made, 20)[0].any()


def test_dtypes_devices_and_gradients():
    assert arrivals(drive().double(), 3)[0].dtype == torch.float64
    made = drive(weight=nn.Parameter(torch.tensor(0.5)))
    current, _ = arrivals(made, 9)
    current.sum().backward()
    assert_close(made.weight.grad, current.detach().sum()[None] / 0.5)
    moved = PoissonDrive(rate=8000.0, weight=1.0).to("meta")
    x = torch.zeros(2, 4, device="meta")
    moved.bind(torch.Size([4]))
    assert moved(moved.initial_state(x), 3, x, dt=0.1)[0].shape == (3, 2, 4)


def test_a_constant_drive_is_the_same_at_every_step():
    made = ConstantDrive(torch.tensor([0.5, -1.0]))
    current, _ = made((), 3, torch.zeros(4, 2), dt=0.1)
    assert current.shape == (3, 4, 2)
    assert torch.equal(current[2, 3], torch.tensor([0.5, -1.0]))
    assert made.compartment is None
    assert repr(made) == "ConstantDrive(current=<2>)"
    assert repr(ConstantDrive(0.5, "distal")) == "ConstantDrive(current=0.5, compartment='distal')"
    assert repr(drive()) == "PoissonDrive(rate=8000, weight=1)"
    assert repr(drive(compartment="distal")) == "PoissonDrive(rate=8000, weight=1, compartment='distal')"


# Does it fail well?


def test_what_it_refuses():
    with pytest.raises(ValueError, match=r"`rate` not to be negative \[Hz\], got -1"):
        PoissonDrive(rate=-1.0, weight=1.0)
    with pytest.raises(TypeError, match=r"`rate` to be fixed \[Hz\]"):
        PoissonDrive(rate=nn.Parameter(torch.tensor(8.0)), weight=1.0)
    with pytest.raises(ValueError, match=r"`weight` to be finite \[nA\]"):
        PoissonDrive(rate=1.0, weight=float("inf"))
    for seed in (-1, 2**63, 0.5, True):
        with pytest.raises(ValueError, match=r"`seed` to be a whole number of 0 or more and below 2\^63 \[1\], got"):
            PoissonDrive(rate=1.0, weight=1.0, seed=seed)
    with pytest.raises(ValueError, match=r"`rate` of at most 1e\+07 Hz in steps of 1 ms \[Hz\], got 1.1e\+07"):
        arrivals(drive(rate=1.1e7), 3, dt=1.0)
    with pytest.raises(ValueError, match=r"`rate` of PoissonDrive to be .* fit .* \(3, 50\), got shape \(4,\)"):
        drive(rate=torch.ones(4))
    with pytest.raises(ValueError, match=r"`current` of ConstantDrive to be a number or to fit"):
        ConstantDrive(torch.ones(2, 3, 50)).bind(SHAPE)
    with pytest.raises(ValueError, match="PoissonDrive to belong to one population, got a second one of shape"):
        drive().bind(torch.Size([4]))
    with pytest.raises(TypeError, match=r"Background to define `forward\(self, state, steps, x, \*, dt\)`"):
        Background()((), 3, torch.zeros(2), dt=1.0)

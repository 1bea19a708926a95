"""Delay lines in plain loops."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.synapses import Delay
from conex_nn.testing import check_module

N = 4
STEPS = {
    "none": 0,
    "one": 1,
    "three": 3,
    "as long as the sequence": 9,
    "longer": 12,
    "equal tensor": torch.tensor([2, 2, 2, 2]),
    "per neuron": torch.tensor([0, 3, 1, 5]),
    "per neuron, none at once": torch.tensor([2, 3, 2, 7], dtype=torch.int32),
    "per row": torch.tensor([[1], [4]]),
    "long and short": torch.tensor([1, 15, 2, 0]),
}


def late(xs, steps):
    """What comes out, in plain loops."""
    steps = torch.as_tensor(steps).expand(xs.shape[1:])
    ys = torch.zeros_like(xs)
    for t in range(len(xs)):
        for index in torch.cartesian_prod(*(torch.arange(size) for size in xs.shape[1:])):
            index = tuple(index.tolist())
            before = t - int(steps[index])
            if before >= 0:
                ys[(t, *index)] = xs[(before, *index)]
    return ys


def sequence(*batch):
    return torch.randn(9, *batch, 2, N, dtype=torch.float64)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
@pytest.mark.parametrize("name", STEPS)
def test_outputs_are_the_inputs_of_so_many_steps_before(name, batch):
    xs = sequence(*batch)
    delay = Delay(STEPS[name])
    ys, state = delay(xs)
    assert_close(ys, late(xs, STEPS[name]))
    assert state.shape == (delay.maximum, *xs.shape[1:])
    flushed, _ = delay(torch.zeros_like(xs), state)
    whole = late(torch.cat([xs, torch.zeros_like(xs)]), STEPS[name])
    assert_close(flushed, whole[9:])


@pytest.mark.parametrize("name", STEPS)
def test_reading_and_pushing_are_the_two_halves_of_a_run(name):
    xs = sequence(3)
    delay = Delay(STEPS[name])
    _, state = delay(sequence(3))
    before = state.clone()
    ys, after = delay(xs, state)
    assert_close(delay.push(xs, state), after, rtol=0, atol=0)
    for steps in range(min(delay.minimum, 9) + 1):
        assert_close(delay.read(state, steps), ys[:steps], rtol=0, atol=0)
    assert_close(state, before, rtol=0, atol=0)


@pytest.mark.parametrize("name", STEPS)
def test_gradients_pass_through(name):
    delay = Delay(STEPS[name])
    xs = sequence(2).requires_grad_()
    state = torch.randn(delay.maximum, 2, 2, N, dtype=torch.float64, requires_grad=True)
    weight, last = torch.randn(9, 2, 2, N).double(), torch.randn_like(state)

    def total(ys, after):
        return (ys * weight).sum() + (after * last).sum()

    found = torch.autograd.grad(total(*delay(xs, state)), (xs, state), allow_unused=True, materialize_grads=True)
    whole = late(torch.cat([state, xs]), STEPS[name])  # the state is what came before, so late() of both is the run
    both = total(whole[delay.maximum :], torch.cat([state, xs])[9:])
    wanted = torch.autograd.grad(both, (xs, state), materialize_grads=True)
    assert_close(found, wanted)


@pytest.mark.parametrize("name", ["one", "three", "per neuron", "per neuron, none at once", "equal tensor"])
def test_a_delay_is_lawful(name):
    check_module(lambda: Delay(STEPS[name]), torch.rand(9, 3, N))


def test_without_delay_it_is_the_input_itself():
    xs = sequence()
    ys, state = Delay(0)(xs)
    assert ys is xs
    assert state.shape == (0, 2, N)
    assert Delay(torch.zeros(N, dtype=torch.long))(xs)[0] is xs


def test_the_state_keeps_no_sequence_alive():
    _, state = Delay(2)(torch.zeros(1000, 3))
    assert state.untyped_storage().nbytes() == 2 * 3 * 4


def test_the_range_is_known_and_follows_a_state_dict():
    delay = Delay(torch.tensor([2, 7, 3]))
    assert (delay.minimum, delay.maximum) == (2, 7)
    parent = nn.Sequential(Delay(torch.tensor([1, 1, 1])))
    parent.load_state_dict({"0.steps": delay.steps})
    assert (parent[0].minimum, parent[0].maximum) == (2, 7)
    for same in (copy.deepcopy(parent), pickle.loads(pickle.dumps(parent))):
        assert same[0].maximum == 7
        same.load_state_dict({"0.steps": torch.tensor([4, 5, 6])})
        assert (same[0].minimum, same[0].maximum) == (4, 6)
    assert (parent[0].minimum, parent[0].maximum) == (2, 7)
    assert repr(delay) == "Delay(2 to 7)"
    assert repr(Delay(3)) == "Delay(3)"


@pytest.mark.parametrize("steps", [1, torch.tensor([1, 3])])
def test_made_on_the_meta_device(steps):
    with torch.device("meta"):
        delay = Delay(steps)
    assert (delay.minimum, delay.maximum) == (1, Delay(steps).maximum)
    unknown = Delay(torch.empty(2, dtype=torch.long, device="meta"))
    assert repr(unknown) == "Delay(steps unknown)"
    with pytest.raises(RuntimeError, match="Expected `steps` to hold values, got a delay that was made on the meta"):
        unknown(torch.zeros(3, 2))
    unknown.to_empty(device="cpu").load_state_dict({"steps": torch.tensor([2, 4])})
    assert (unknown.minimum, unknown.maximum) == (2, 4)


@pytest.mark.parametrize(
    ("steps", "error", "got"),
    [
        (1.0, TypeError, r"1\.0"),
        (True, TypeError, "True"),
        ("3", TypeError, "'3'"),
        (torch.tensor([1.0]), TypeError, r"torch\.float32"),
        (torch.tensor([True]), TypeError, r"torch\.bool"),
        (-1, ValueError, "-1"),
        (torch.tensor([2, -3]), ValueError, "-3"),
    ],
)
def test_delays_that_are_no_steps(steps, error, got):
    with pytest.raises(error, match=rf"Expected `steps` to be whole numbers of steps of at least 0, got {got}"):
        Delay(steps)


def test_errors():
    delay = Delay(torch.tensor([2, 3]))
    xs = torch.zeros(5, 2)
    state = delay.initial_state(xs[0])
    with pytest.raises(ValueError, match=r"Expected `steps` of at least one neuron"):
        Delay(torch.zeros(0, dtype=torch.long))
    with pytest.raises(ValueError, match=r"Expected `steps` from 0 to the shortest delay, 2, got 3: later outputs"):
        delay.read(state, 3)
    with pytest.raises(ValueError, match=r"Expected `state` of shape \(3, 2\) .* got \(2, 2\)"):
        delay(xs, state[1:])
    with pytest.raises(ValueError, match=r"Expected `state` of shape \(3, 1\)"):
        delay.push(xs[:, :1], state)
    with pytest.raises(
        ValueError, match=r"Expected inputs whose neurons `steps` of shape \(2,\) broadcasts to, .*\(7,\)"
    ):
        delay(torch.zeros(5, 7))
    with pytest.raises(ValueError, match=r"Expected `xs` of at least one time step"):
        delay(xs[:0])
    with pytest.raises(TypeError, match=r"Expected `xs` to be a floating tensor"):
        delay(xs.int())

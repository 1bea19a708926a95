"""Running a step over time."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.scan import check_sequence, detach, in_blocks, scan


def step(x, state):
    """A small recurrence with two states of different kinds."""
    total, (count,) = state
    total = torch.tanh(total + x)
    return total * count, (total, [count + 1])


def start():
    return torch.zeros(3, dtype=torch.float64), [torch.ones(1, dtype=torch.float64)]


def run(xs, state):
    return scan(step, xs, state)


def sequence(steps=10):
    return torch.rand(steps, 3, dtype=torch.float64).requires_grad_()


def test_scan_is_a_loop():
    xs, state, expected = sequence(), start(), []
    for x in xs:
        y, state = step(x, state)
        expected.append(y)
    ys, last = scan(step, xs, start())
    assert_close(ys, torch.stack(expected))
    assert_close(last[0], state[0])


def test_scan_shows_every_step_to_an_observer():
    seen = []
    ys, last = scan(step, sequence(), start(), observe=lambda y, state: seen.append((y, state)))
    assert_close(torch.stack([y for y, _ in seen]), ys)
    assert seen[-1][1] is last


@pytest.mark.parametrize("detach_every", [None, 1, 3, 5, 10, 99])
@pytest.mark.parametrize("checkpoint_every", [None, 1, 2, 4, 99])
def test_blocks_change_no_value_and_checkpoints_no_gradient(detach_every, checkpoint_every):
    xs = sequence()
    found = []
    for checkpoint in (None, checkpoint_every):
        ys, state = in_blocks(run, xs, start(), detach_every=detach_every, checkpoint_every=checkpoint)
        found.append((ys, state[0], *torch.autograd.grad(ys.sum(), xs)))
    assert_close(found[0], found[1])
    assert_close(found[0][0], run(xs, start())[0])


def test_detach_every_cuts_between_blocks_and_only_there():
    xs = sequence()
    ys, _ = in_blocks(run, xs, start(), detach_every=4)
    for t in range(10):
        (grad,) = torch.autograd.grad(ys[t].sum(), xs, retain_graph=True)
        reached = grad.any(1).nonzero().flatten().tolist()
        assert reached == list(range(4 * (t // 4), t + 1))


def test_detach_every_also_cuts_the_state_it_is_given():
    begin = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    for detach_every, reaches in ((None, True), (4, False)):
        ys, _ = in_blocks(run, sequence(), (begin, start()[1]), detach_every=detach_every)
        (grad,) = torch.autograd.grad(ys.sum(), begin, allow_unused=True)
        assert (grad is not None) == reaches


def test_checkpoints_keep_less():
    def deep(x, total):
        for _ in range(10):
            total = torch.tanh(total + x)
        return total, total

    kept = []
    for checkpoint_every in (None, 10):
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, saved=saved: saved.append(t.numel()) or t, lambda t: t):
            in_blocks(lambda xs, s: scan(deep, xs, s), sequence(40), start()[0], checkpoint_every=checkpoint_every)
        kept.append(sum(saved))
    assert kept[1] < kept[0] / 3


def test_detach_goes_through_any_nest():
    x = torch.ones(1, requires_grad=True) * 2
    nest = detach({"a": [x, None, 3], "b": (x,)})
    assert nest["a"][1:] == [None, 3]
    assert not nest["a"][0].requires_grad
    assert not nest["b"][0].requires_grad
    assert x.requires_grad


@pytest.mark.parametrize("xs", [torch.ones(3, 2, dtype=torch.int64), torch.ones(3, 2, dtype=torch.bool)])
def test_a_sequence_that_is_not_floating(xs):
    with pytest.raises(TypeError, match=r"`currents` to be a floating tensor, got torch\.(int64|bool). Convert it"):
        check_sequence(xs, name="currents")


def test_a_sequence_that_is_no_tensor():
    with pytest.raises(TypeError, match="`input` to be a floating tensor, got list"):
        check_sequence([[1.0]])


def test_a_sequence_without_time():
    with pytest.raises(
        ValueError, match=r"`input` of shape \(time, \*batch, \*neurons\), got \(3,\). A single step goes to"
    ):
        check_sequence(torch.ones(3))


def test_a_sequence_without_steps():
    with pytest.raises(ValueError, match=r"`input` of at least one time step, .* got shape \(0, 3\)"):
        check_sequence(torch.ones(0, 3))


@pytest.mark.parametrize("name", ["detach_every", "checkpoint_every"])
@pytest.mark.parametrize("size", [0, -2, 1.5, "3"])
def test_blocks_of_no_size(name, size):
    with pytest.raises(
        ValueError, match=f"`{name}` to be a whole number of steps of at least 1, or None, got {size!r}"
    ):
        in_blocks(run, sequence(), start(), **{name: size})

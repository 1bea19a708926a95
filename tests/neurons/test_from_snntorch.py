"""snnTorch's neurons as ours: equal to snnTorch's own loop, and nothing left behind."""

import gc
import weakref

import pytest
import snntorch
import torch
from torch.testing import assert_close

from conex_nn.neurons import FromSnnTorch

NEURONS = {
    "Leaky": (lambda: snntorch.Leaky(beta=0.9, learn_beta=True, learn_threshold=True), 1),
    "Leaky at once": (lambda: snntorch.Leaky(beta=0.9, reset_delay=False, reset_mechanism="zero"), 1),
    "Synaptic": (lambda: snntorch.Synaptic(alpha=0.7, beta=0.9, learn_alpha=True), 2),
    "Alpha": (lambda: snntorch.Alpha(alpha=0.9, beta=0.8), 3),
    "Lapicque": (lambda: snntorch.Lapicque(beta=0.8), 1),
    "RLeaky": (lambda: snntorch.RLeaky(beta=0.8, linear_features=4), 2),
    "RSynaptic": (lambda: snntorch.RSynaptic(alpha=0.7, beta=0.8, linear_features=4), 3),
}


def snntorch_run(neuron, x):
    """snnTorch's loop, as its documentation writes it."""
    state, outputs = neuron.reset_mem(), []
    state = state if isinstance(state, tuple) else (state,)
    for step in x:
        spikes, *after = neuron(step, *state)
        state = (spikes, *after) if len(after) < len(state) else tuple(after)
        outputs.append(spikes)
    return torch.stack(outputs), state


@pytest.mark.parametrize("name", NEURONS)
def test_values_and_gradients_are_those_of_snntorch_itself(name):
    make, fields = NEURONS[name]
    found = []
    for wrap in (False, True):
        torch.manual_seed(0)
        neuron = make()
        x = (2 * torch.rand(12, 3, 4)).requires_grad_()
        ys, state = FromSnnTorch(neuron)(x) if wrap else snntorch_run(neuron, x)
        assert len(state) == fields
        (ys.cumsum(0).sum() + sum(s.sum() for s in state)).backward()
        found.append((ys, *state, x.grad, *(p.grad for p in neuron.parameters() if p.requires_grad)))
    assert found[0][0].any()
    assert_close(found[1], found[0], rtol=0, atol=0)


@pytest.mark.parametrize("name", NEURONS)
def test_nothing_stays_on_the_module(name):
    neuron = FromSnnTorch(NEURONS[name][0]())
    x = 1 * torch.rand(5, 3, 4, requires_grad=True)
    before = set(vars(neuron.neuron))
    ys, state = neuron(x)
    alive = weakref.ref(x)  # the graph of the outputs holds on to it
    assert set(vars(neuron.neuron)) == before
    assert all(buffer.grad_fn is None for buffer in neuron.buffers())
    assert all(neuron.neuron.get_buffer(b).numel() == 0 for b in neuron.neuron._non_persistent_buffers_set)
    del x, ys, state
    gc.collect()
    assert alive() is None


def test_what_is_no_neuron_of_snntorch():
    with pytest.raises(TypeError, match="`neuron` to be a spiking neuron of snnTorch, got Linear"):
        FromSnnTorch(torch.nn.Linear(2, 3))


def test_a_neuron_that_keeps_its_state():
    with pytest.raises(ValueError, match="`neuron` with init_hidden=False"):
        FromSnnTorch(snntorch.Leaky(beta=0.9, init_hidden=True))


def test_another_batch_size_needs_no_reset():
    neuron = FromSnnTorch(snntorch.Leaky(beta=0.9))
    for batch in (2, 5, 1):
        assert neuron(torch.ones(3, batch, 4))[0].shape == (3, batch, 4)

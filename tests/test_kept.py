"""What is kept of a neuron's constants between calls is computed anew as soon as one of them changes."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.nn.utils import parametrize
from torch.testing import assert_close

from conex_nn.kept import _KEPT, kept
from conex_nn.neurons import AELIF, ELIF, IF, LI, LIF

CURRENT = torch.linspace(0.2, 3.0, 60).reshape(12, 1, 5)
MODELS = {
    "LIF": (LIF, {"tau_mem": 3.0, "v_rest": 0.2, "v_threshold": 0.6, "v_reset": -1.0, "resistance": 2.0}),
    "IF": (IF, {"capacitance": 3.0, "v_threshold": 0.6, "v_reset": -1.0}),
    "LI": (LI, {"tau_mem": 3.0, "v_rest": 0.2, "resistance": 2.0}),
    "ELIF": (ELIF, {"tau_mem": 3.0, "delta_t": 0.4, "v_rh": 0.1, "v_threshold": 0.6}),
    "AELIF": (AELIF, {"tau_w": 3.0, "a": 0.7, "b": 0.9, "tau_mem": 3.0}),
}
CHANGES = [(name, constant) for name, (_, constants) in MODELS.items() for constant in constants]
CHANGES += [(name, "refractory_time") for name in ("LIF", "IF", "ELIF", "AELIF")]


def value_of(name, constant):
    return torch.full((1,), MODELS[name][1].get(constant, 2.0))


def run(neuron, **options):
    """The output and the state at the end, in the dtype of the neuron."""
    ys, state = neuron(CURRENT.to(neuron.noise.dtype), **options)
    return ys, *state


def assert_changed(neuron, expected, before):
    found = run(neuron)
    assert_close(found, run(expected), rtol=0, atol=0)
    assert not all(torch.equal(one.float(), other.float()) for one, other in zip(found, before, strict=True))


def used(name):
    """A neuron of this model that has run, and what came out."""
    neuron = MODELS[name][0]()
    return neuron, run(neuron)


@pytest.mark.parametrize(("name", "constant"), CHANGES)
def test_a_constant_that_is_written_in_place_counts(name, constant):
    neuron, before = used(name)
    getattr(neuron, constant).copy_(value_of(name, constant))
    assert_changed(neuron, MODELS[name][0](**{constant: value_of(name, constant)}), before)


@pytest.mark.parametrize(("name", "constant"), CHANGES)
def test_a_constant_that_is_replaced_counts(name, constant):
    neuron, before = used(name)
    setattr(neuron, constant, value_of(name, constant))
    assert_changed(neuron, MODELS[name][0](**{constant: value_of(name, constant)}), before)


@pytest.mark.parametrize("name", MODELS)
def test_load_state_dict_counts(name):
    model, constants = MODELS[name]
    neuron, before = used(name)
    neuron.load_state_dict(model(**constants).state_dict())
    assert_changed(neuron, model(**constants), before)


@pytest.mark.parametrize("name", MODELS)
def test_a_neuron_that_is_moved_runs_there(name):
    neuron, before = used(name)
    neuron.double()
    assert {t.dtype for t in run(neuron)} == {torch.float64}
    assert_close(run(neuron), run(MODELS[name][0]().double()), rtol=0, atol=0)
    assert_close(run(neuron.float()), before, rtol=0, atol=0)


@pytest.mark.parametrize("name", MODELS)
def test_the_step_and_the_method_count(name):
    neuron, before = used(name)
    if name != "IF":
        neuron.method = "euler"
        assert_changed(neuron, MODELS[name][0](method="euler"), before)
        neuron.method = "exact"
    expected = run(MODELS[name][0](), dt=0.5)
    assert_close(run(neuron, dt=0.5), expected, rtol=0, atol=0)
    assert not torch.equal(expected[0], before[0])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda neuron: pickle.loads(pickle.dumps(neuron))])
def test_a_copy_has_constants_of_its_own(duplicate):
    neuron, before = used("LIF")
    other = duplicate(neuron)
    assert_close(run(other), before, rtol=0, atol=0)
    other.tau_mem.fill_(3.0)
    assert_changed(other, LIF(tau_mem=3.0), before)
    assert_close(run(neuron), before, rtol=0, atol=0)
    assert other.state_dict().keys() == LIF().state_dict().keys()


def test_the_shape_of_the_input_counts():
    neuron = LIF(tau_mem=torch.tensor([[1.0], [5.0]]))
    for x in (CURRENT.expand(12, 2, 5), CURRENT[..., :3].expand(12, 2, 3), CURRENT[:, None].expand(12, 4, 2, 5)):
        assert_close(neuron(x), LIF(tau_mem=torch.tensor([[1.0], [5.0]]))(x), rtol=0, atol=0)


def test_noise_counts():
    neuron, spread = LIF(noise=1.0, v_threshold=100.0), []
    for noise in (1.0, 2.0):
        neuron.noise.fill_(noise)
        torch.manual_seed(0)
        spread.append((neuron(torch.zeros(3, 1, 8))[1].v).std())
    assert_close(spread[1], 2 * spread[0])
    found = []
    for each in (neuron, LIF(noise=2.0, v_threshold=100.0)):
        torch.manual_seed(0)
        found.append(each(torch.zeros(3, 1, 8), dt=0.01)[1].v)
    assert_close(*found, rtol=0, atol=0)


def test_a_constant_that_begins_to_want_a_gradient_gets_it():
    neuron, _ = used("LI")
    neuron.tau_mem.requires_grad_()
    neuron(CURRENT)[0].sum().backward()
    assert neuron.tau_mem.grad is not None
    neuron.tau_mem.requires_grad_(False)
    assert not neuron(CURRENT)[0].requires_grad
    tau_mem = torch.ones(1, requires_grad=True)
    functional_call(neuron, {"tau_mem": tau_mem}, (CURRENT,))[0].sum().backward()
    assert_close(tau_mem.grad.sign(), -torch.ones(1))


def test_a_constant_that_is_parametrized_counts():
    class Double(nn.Module):
        def forward(self, x):
            return 2 * x

    neuron, before = used("LIF")
    parametrize.register_parametrization(neuron, "tau_mem", Double())
    assert_changed(neuron, LIF(tau_mem=20.0), before)
    neuron.parametrizations.tau_mem.original.fill_(1.0)
    assert_changed(neuron, LIF(tau_mem=2.0), before)


def test_what_was_computed_in_inference_mode_may_be_differentiated():
    neuron = LIF()
    with torch.inference_mode():
        run(neuron)
    x = CURRENT.clone().requires_grad_()
    neuron(x)[0].sum().backward()
    assert x.grad.any()
    with torch.inference_mode():
        made = LIF()
        before = run(made)
        made.tau_mem.fill_(3.0)  # what is made here counts no writes
        assert_changed(made, LIF(tau_mem=3.0), before)


def test_nothing_is_kept_of_trainable_constants():
    neuron = LIF(v_threshold=nn.Parameter(torch.ones(1)))
    before = run(neuron)
    neuron.v_threshold.data.fill_(0.6)  # as an optimizer may
    assert_changed(neuron, LIF(v_threshold=0.6), before)
    assert neuron not in _KEPT


def test_nothing_is_kept_under_a_mode_of_torch():
    neuron = LIF()
    with FakeTensorMode(allow_non_fake_inputs=True):
        kept(neuron, "double", None, lambda: 2 * neuron.tau_mem)
    assert type(kept(neuron, "double", None, lambda: 2 * neuron.tau_mem)) is torch.Tensor


def test_it_is_computed_once_and_forgotten_with_the_neuron():
    neuron, calls = LIF(), []
    for _ in range(3):
        kept(neuron, "calls", 1, lambda: calls.append(1))
    assert len(calls) == 1
    kept(neuron, "calls", 2, lambda: calls.append(1))
    assert len(calls) == 2
    run(neuron)
    assert neuron in _KEPT
    remembered = weakref.ref(neuron)
    del neuron
    gc.collect()
    assert remembered() is None


@pytest.mark.parametrize("constants", [{"refractory_time": 3.0}, {"noise": 1.0}])
def test_what_a_functional_call_changed_for_itself_is_forgotten(constants):
    x = torch.full((12, 1, 5), 1.5)
    neuron, same = LIF(**constants), LIF(**constants)
    neuron(x)
    off = {name: torch.zeros(1) for name in constants}
    functional_call(neuron, {**off, "tau_mem": torch.full((1,), 5.0, requires_grad=True)}, (x,))
    torch.manual_seed(0)
    found = neuron(x)
    torch.manual_seed(0)
    assert_close(found, same(x), rtol=0, atol=0)

"""Every model that fires is a charge and a fire, with room between them."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn import surrogate
from conex_nn.functional import aelif_step, elif_step, if_step, izhikevich_step, lif_step
from conex_nn.neurons import AELIF, ELIF, IF, LI, LIF, Izhikevich

N = 5
PER_NEURON = torch.linspace(0.6, 1.4, N)
OPTIONS = {
    "plain": {},
    "soft": {"soft_reset": True},
    "attached": {"detach_reset": False},
    "soft, attached": {"soft_reset": True, "detach_reset": False},
    "refractory": {"refractory_time": 2.0},
    "refractory per neuron, soft": {"refractory_time": 3 * PER_NEURON, "soft_reset": True},
    "refractory, attached": {"refractory_time": 2.0, "detach_reset": False},
}


def learnt(value):
    return nn.Parameter(torch.as_tensor(value).clone())


MODELS = {
    "LIF": lambda **o: LIF(tau_mem=learnt(6 * PER_NEURON), v_rest=-0.5, resistance=learnt(1.5), **o),
    "LIF, Euler": lambda **o: LIF(v_threshold=learnt(PER_NEURON), method="euler", **o),
    "IF": lambda **o: IF(capacitance=learnt(2 * PER_NEURON), v_reset=-PER_NEURON, **o),
    "ELIF": lambda **o: ELIF(delta_t=0.2 * PER_NEURON, v_rh=learnt(PER_NEURON / 2), **o),
    "AELIF": lambda **o: AELIF(tau_w=[5.0, 20.0, 50.0], a=learnt([0.1, 0.0, 0.2]), b=0.1, **o),
    "AELIF, no current": lambda **o: AELIF(tau_w=[], a=[], b=[], **o),
}
CASES = [(model, option) for model in MODELS for option in OPTIONS]


def functional_step(neuron, x, state, dt):
    """One step by the functions of `conex_nn.functional` that do it whole."""
    pause = neuron.refractory_time if isinstance(neuron.refractory_time, torch.Tensor) and neuron._pauses else None
    given = {
        "v_threshold": neuron.v_threshold, "v_reset": neuron.v_reset, "dt": dt, "spike_fn": neuron.spike_fn,
        "refractory_time": pause, "soft_reset": neuron.soft_reset, "detach_reset": neuron.detach_reset,
    }  # fmt: skip
    left = None if pause is None else state.refractory
    if isinstance(neuron, IF):
        spikes, v, left = if_step(x, state.v, left, capacitance=neuron.capacitance, **given)
    else:
        given |= {name: getattr(neuron, name) for name in ("tau_mem", "v_rest", "resistance", "method")}
        if isinstance(neuron, LIF):
            spikes, v, left = lif_step(x, state.v, left, **given)
        else:
            given |= {"delta_t": neuron.delta_t, "v_rh": neuron.v_rh}
            if isinstance(neuron, ELIF):
                spikes, v, left = elif_step(x, state.v, left, **given)
            else:
                rows = {name: neuron._spread(getattr(neuron, name), x.dim()) for name in ("tau_w", "a", "b")}
                spikes, v, w, left = aelif_step(x, state.v, state.w, left, **given, **rows)
                return spikes, type(state)(v, w, state.refractory if left is None else left)
    return spikes, type(state)(v, state.refractory if left is None else left)


def halves(neuron, x, state, dt):
    return neuron.fire(neuron.charge(x, state, dt=dt), state, dt=dt)


def run(neuron, step, dt):
    """Outputs, last state and gradients of one way to take the steps."""
    x = (8 * torch.rand(12, 3, N, generator=torch.Generator().manual_seed(3)) - 1).double().requires_grad_()
    state, outputs = neuron.initial_state(x[0]), []
    for current in x:
        spikes, state = step(neuron, current, state, dt)
        outputs.append(spikes)
    outputs = torch.stack(outputs)
    assert 0 < outputs.sum() < outputs.numel()
    loss = (outputs * torch.arange(1, 13)[:, None, None]).sum() + state.v.sum()
    grads = torch.autograd.grad(loss, [x, *neuron.parameters()], allow_unused=True)
    return outputs, tuple(state), [torch.zeros(1) if g is None else g for g in grads]


@pytest.mark.parametrize(("model", "option"), CASES)
def test_the_halves_are_the_step_in_values_and_gradients(model, option):
    neuron = MODELS[model](**OPTIONS[option]).double()
    for dt in (0.5, 1.0):
        whole = run(neuron, lambda n, x, s, dt: n.step(x, s, dt=dt), dt)
        assert_close(run(neuron, halves, dt), whole, rtol=0, atol=0)
        assert_close(run(neuron, functional_step, dt), whole, rtol=1e-12, atol=1e-12)


def test_the_halves_of_izhikevichs_neuron():
    neuron = Izhikevich(a=learnt(0.02)).double()
    x, state = 15 * torch.rand(400, N).double(), neuron.initial_state(torch.zeros(N).double())
    fired = 0
    for current in x:
        whole = neuron.step(current, state, dt=0.5)
        assert_close(halves(neuron, current, state, 0.5), whole, rtol=0, atol=0)
        constants = {name: getattr(neuron, name) for name in ("a", "b", "c", "d", "v_peak")}
        assert_close(izhikevich_step(current, *state, **constants, dt=0.5, spike_fn=neuron.spike_fn)[1], whole[1].v)
        state = whole[1]
        fired += whole[0].sum()
    assert fired > 5
    assert neuron.v_threshold is neuron.v_peak
    assert neuron.v_reset is neuron.c


def test_who_is_lifted_over_the_threshold_fires_and_who_is_taken_below_does_not():
    for neuron in (LIF(), IF(), ELIF(), AELIF()):
        state = neuron.initial_state(torch.zeros(3))
        spikes, after = neuron.fire(torch.tensor([0.5, 1.0, 1.5]), state)
        assert spikes.tolist() == [0, 1, 1]
        assert after.v.tolist() == [0.5, 0, 0]
    assert after.w.flatten().tolist() == pytest.approx([0, 0.1, 0.1])


def test_adaptation_follows_what_the_potential_has_become():
    neuron = AELIF(tau_w=10.0, a=1.0, b=0.0, method="euler")
    state = neuron.initial_state(torch.zeros(2))
    _, after = neuron.fire(torch.tensor([0.5, -0.5]), state)
    assert_close(after.w, torch.tensor([[0.05, -0.05]]))


@pytest.mark.parametrize("model", [LIF, IF, ELIF, AELIF])
@pytest.mark.parametrize("soft", [False, True])
def test_a_refractory_neuron_shows_what_it_keeps_and_keeps_it_whatever_is_done_to_it(model, soft):
    neuron = model(refractory_time=3.0, soft_reset=soft)
    state = neuron.initial_state(torch.zeros(2))
    state = state._replace(v=torch.tensor([0.3, 0.3]), refractory=torch.tensor([2.0, 0.0]))
    charged = neuron.charge(torch.full((2,), 50.0), state)
    assert charged[0] == state.v[0]
    assert charged[1] > 1
    spikes, after = neuron.fire(charged + 10, state)
    assert spikes.tolist() == [0, 1]
    assert after.v[0] == state.v[0]
    assert after.refractory.tolist() == [1, 3]


def test_the_noise_of_the_membrane_is_in_the_charge():
    neuron = LIF(noise=1.0)
    state = neuron.initial_state(torch.zeros(1000))
    assert neuron.charge(torch.zeros(1000), state).std() == pytest.approx(1, abs=0.2)


def test_a_readout_has_no_halves():
    assert not hasattr(LI(), "charge")
    assert not hasattr(LI(), "fire")


def test_a_spike_function_of_the_users_is_asked_once():
    asked = []
    neuron = LIF(spike_fn=lambda x: (asked.append(x), surrogate.atan()(x))[1])
    neuron.step(torch.ones(2), neuron.initial_state(torch.ones(2)))
    assert len(asked) == 1

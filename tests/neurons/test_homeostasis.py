"""Homeostasis against the seeds' rules written as loops, and its slow state."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from conex_nn.neurons import LIF, ActivityHomeostasis, Homeostasis, Izhikevich, VoltageHomeostasis

N = 3


def activity(neuron, **options):
    options = {"activity_rate": 2.0, "window_size": 10.0, "updating_rate": 0.05, **options}
    homeostasis = ActivityHomeostasis(**options)
    homeostasis.bind(torch.Size([N]), neuron)
    return homeostasis


def feed(homeostasis, neuron, spikes, dt=1.0):
    for row in spikes:
        out, _ = homeostasis.spikes(row, (), neuron, dt=dt)
        assert out is row
    return neuron.v_threshold.clone()


def reference_activity(spikes, *, rate, window, updating, decay, threshold):
    """CoNeX's ActivityBaseHomeostasis for one neuron, as a loop (shared/reference/seeds.md, section 1.4)."""
    count = 0.0
    for iteration, spike in enumerate(spikes, 1):
        count += 1 if spike else -rate / (window - rate)
        if iteration % window == 0:
            threshold += count * updating
            count, updating = 0.0, updating * decay
    return threshold


def test_thresholds_are_those_of_the_seeds():
    neuron = LIF().double()
    spikes = (torch.rand(57, N) < torch.tensor([0.0, 0.2, 0.7])).double()
    got = feed(activity(neuron, decay_rate=0.5).double(), neuron, spikes)
    expected = [
        reference_activity(s, rate=2.0, window=10, updating=0.05, decay=0.5, threshold=1.0) for s in spikes.T.tolist()
    ]
    assert_close(got, torch.tensor(expected).double(), rtol=1e-6, atol=1e-7)
    assert got[0] < 1 < got[2]


def test_at_the_target_rate_the_threshold_stays():
    neuron = LIF()
    spikes = torch.zeros(30, N)
    spikes[[3, 7, 11, 12, 20, 29]] = 1
    assert_close(feed(activity(neuron), neuron, spikes), torch.ones(N))


@pytest.mark.parametrize("dt", [0.1, 0.5, 2.0])
def test_a_window_is_a_time_not_a_number_of_steps(dt):
    neuron, steps = LIF(), round(10 / dt)
    homeostasis = activity(neuron)
    before = feed(homeostasis, neuron, torch.zeros(steps - 1, N), dt=dt)
    assert torch.equal(before, torch.ones(N))
    after = feed(homeostasis, neuron, torch.zeros(1, N), dt=dt)
    # n steps of silence count -n a / (n - a): the closer to -a the finer the step
    assert_close(after, torch.full((N,), 1 - 0.05 * steps * 2 / (steps - 2)), rtol=1e-5, atol=1e-6)


def test_it_brings_neurons_to_their_rate():
    neuron = LIF(tau_mem=5.0)
    homeostasis = activity(neuron, activity_rate=1.0, updating_rate=0.02)
    drive, state = torch.tensor([1.2, 2.0, 3.5]), neuron.initial_state(torch.zeros(8, N))
    late = []
    for _ in range(4000):
        spikes, state = neuron.step(drive * torch.rand(8, N) * 2, state)
        homeostasis.spikes(spikes, (), neuron, dt=1.0)
        late.append(spikes.mean(0))
    assert_close(torch.stack(late[2000:]).mean(0), torch.full((N,), 0.1), rtol=0.1, atol=0)


def test_a_batch_moves_by_its_mean():
    spikes = (torch.rand(20, 4, N) < 0.3).float()
    neuron, one = LIF(), LIF()
    together = feed(activity(neuron), neuron, spikes)
    separate = [feed(activity(n), n, spikes[:, i]) for i, n in enumerate(LIF() for _ in range(4))]
    assert_close(together, torch.stack(separate).mean(0))
    assert_close(feed(activity(one), one, spikes[:, None]), together)


def test_eval_freezes_everything():
    neuron = LIF()
    homeostasis = activity(neuron)
    feed(homeostasis, neuron, torch.ones(4, N))
    before = copy.deepcopy((homeostasis.state_dict(), neuron.state_dict()))
    homeostasis.eval()
    feed(homeostasis, neuron, torch.ones(40, N))
    assert_close((homeostasis.state_dict(), neuron.state_dict()), before, rtol=0, atol=0)


@pytest.mark.parametrize("cut", [5, 10, 17])
def test_a_run_goes_on_from_its_state_dict(cut):
    spikes = (torch.rand(45, N) < 0.4).float()
    neuron = LIF()
    homeostasis = activity(neuron, decay_rate=0.5)
    feed(homeostasis, neuron, spikes[:cut])
    other = LIF()
    resumed = activity(other, decay_rate=0.5)
    other.load_state_dict(neuron.state_dict())
    resumed.load_state_dict(pickle.loads(pickle.dumps(homeostasis.state_dict())))
    whole = feed(homeostasis, neuron, spikes[cut:])
    assert torch.equal(feed(resumed, other, spikes[cut:]), whole)
    assert set(homeostasis.state_dict()) == {"activity", "steps", "updating_rate", "decay_rate"}


def test_binding_again_keeps_what_was_learned():
    neuron = LIF()
    homeostasis = activity(neuron)
    feed(homeostasis, neuron, torch.ones(14, N))
    kept = copy.deepcopy((homeostasis.state_dict(), neuron.state_dict()))
    homeostasis.bind(torch.Size([N]), neuron)
    assert_close((homeostasis.state_dict(), neuron.state_dict()), kept, rtol=0, atol=0)


def test_gradients_survive_a_threshold_that_moves():
    neuron = LIF(tau_mem=5.0)
    homeostasis = activity(neuron, window_size=3.0, updating_rate=0.5)
    x = (3 * torch.rand(12, 2, N)).requires_grad_()
    state, outputs, thresholds = neuron.initial_state(x[0]), [], []
    for current in x:
        thresholds.append(neuron.v_threshold)
        spikes, state = neuron.step(current, state)
        spikes, _ = homeostasis.spikes(spikes, (), neuron, dt=1.0)
        outputs.append(spikes)
    torch.stack(outputs).sum().backward()
    found, x.grad = x.grad.clone(), None
    state, outputs = neuron.initial_state(x[0]), []
    for current, threshold in zip(x, thresholds, strict=True):
        neuron.v_threshold = threshold
        spikes, state = neuron.step(current, state)
        outputs.append(spikes)
    torch.stack(outputs).sum().backward()
    assert_close(found, x.grad)
    assert not all(torch.equal(threshold, thresholds[0]) for threshold in thresholds)


@pytest.mark.parametrize("kind", ["activity", "voltage", "anything"])
def test_slow_state_is_replaced_never_written_to(kind):
    neuron = LIF()
    if kind == "activity":
        homeostasis = activity(neuron, window_size=3.0)
    elif kind == "voltage":
        homeostasis = voltage(0.5)
    else:
        homeostasis = regulated(neuron, "v_threshold", lambda v, spikes: v, smoothing=2.0)
    constants = [*neuron.buffers(), *homeostasis.buffers()]
    before = [(c, c.clone(), c._version) for c in constants]
    for _ in range(4):
        take(homeostasis, neuron, torch.randn(N), torch.ones(N))
    assert all(c._version == version and torch.equal(c, copied) for c, copied, version in before)
    assert any(
        now is not then for now, then in zip((*neuron.buffers(), *homeostasis.buffers()), constants, strict=True)
    )


def test_the_fused_path_sees_the_threshold_that_was_learned():
    neuron, x = LIF(), torch.full((20, N), 1.5)
    homeostasis = activity(neuron)
    often = neuron(x)[0].sum()
    feed(homeostasis, neuron, torch.ones(10, N))
    rarer = neuron(x)[0]
    assert rarer.sum() < often
    assert_close(neuron(x, observe=lambda y, s: None)[0], rarer)


def test_it_learns_in_inference_mode_without_leaving_inference_tensors():
    neuron = LIF()
    homeostasis = activity(neuron)
    with torch.inference_mode():
        feed(homeostasis, neuron, torch.ones(10, N))
    assert not neuron.v_threshold.is_inference()
    assert neuron.v_threshold[0] > 1
    neuron(torch.ones(5, N, requires_grad=True))[0].sum().backward()


def test_izhikevichs_peak_is_a_threshold_too():
    neuron = Izhikevich()
    feed(activity(neuron), neuron, torch.ones(10, N))
    assert (neuron.v_peak > 30).all()


def test_a_recomputed_step_is_refused():
    neuron = LIF()
    homeostasis = activity(neuron)

    def run(current):
        state = neuron.initial_state(current)
        for _ in range(2):
            spikes, state = neuron.step(current, state)
            homeostasis.spikes(spikes, (), neuron, dt=1.0)
        return spikes

    out = checkpoint(run, torch.ones(N, requires_grad=True), use_reentrant=False)
    with pytest.raises(RuntimeError, match=r"each step to be run once, got ActivityHomeostasis in a backward pass"):
        out.sum().backward()


def test_bad_activity_homeostasis():
    for rate in (0.0, 10.0, -1.0):
        with pytest.raises(ValueError, match=r"`activity_rate` to be above 0 and below `window_size`.*\[1\], got"):
            ActivityHomeostasis(activity_rate=rate, window_size=10.0, updating_rate=0.1)
    with pytest.raises(ValueError, match=r"`updating_rate` to be positive \[mV\], got 0"):
        ActivityHomeostasis(activity_rate=1.0, window_size=10.0, updating_rate=0.0)
    with pytest.raises(TypeError, match="`v_threshold` of the neurons to be fixed, since ActivityHomeostasis moves it"):
        activity(LIF(v_threshold=nn.Parameter(torch.ones(1))))
    with pytest.raises(ValueError, match=r"`v_threshold` of the neurons to fit the population's shape \(3,\), got \(4"):
        activity(LIF(v_threshold=torch.ones(4)))
    with pytest.raises(TypeError, match="neurons to have a constant `v_threshold`, got Identity"):
        activity(nn.Identity())
    neuron = LIF()
    with pytest.raises(ValueError, match=r"`dt` to leave more steps in a window of 10.0 ms than the 2.0.*got 5"):
        feed(activity(neuron), neuron, torch.ones(1, N), dt=5.0)
    with pytest.raises(ValueError, match=r"ActivityHomeostasis to see \(\*batch, 3\), got \(2, 4\)"):
        feed(activity(neuron), neuron, torch.ones(1, 2, 4))
    free = ActivityHomeostasis(activity_rate=1.0, window_size=10.0, updating_rate=0.1)
    with pytest.raises(RuntimeError, match=r"ActivityHomeostasis to belong to a population: call `bind"):
        free.spikes(torch.ones(N), (), neuron, dt=1.0)


# Voltage


def voltage(*args, **options):
    homeostasis = VoltageHomeostasis(*args, **options)
    homeostasis.bind(torch.Size([N]), LIF())
    return homeostasis


def test_potentials_are_those_of_the_seeds():
    homeostasis = voltage(v_max=1.0, v_min=-0.5, rate=0.1)
    exhaustion = torch.zeros(N)
    for v in 4 * torch.rand(30, N) - 2:
        outside = (v > 1) * (v - 1) + (v < -0.5) * (v + 0.5)
        exhaustion = exhaustion + 0.1 * outside
        assert_close(homeostasis.membrane(v, (), LIF(), dt=1.0)[0], v - exhaustion)


def test_a_target_is_both_ends():
    homeostasis = VoltageHomeostasis(0.5)
    assert (homeostasis.v_max.item(), homeostasis.v_min.item()) == (0.5, 0.5)
    assert VoltageHomeostasis(0.5, v_max=0.75).v_min.item() == 0.5


def test_it_converges_with_the_step():
    found = []
    for dt in (0.4, 0.2, 0.1):
        homeostasis, neuron = voltage(0.2, rate=0.05), LIF()
        state = neuron.initial_state(torch.zeros(N))
        for _ in range(round(8 / dt)):
            v, _ = homeostasis.membrane(neuron.charge(torch.full((N,), 0.9), state, dt=dt), (), neuron, dt=dt)
            _, state = neuron.fire(v, state, dt=dt)
        found.append(state.v[0].item())
    assert (found[0] - found[1]) / (found[1] - found[2]) == pytest.approx(2, abs=0.3)


def test_exhaustion_acts_always_and_learns_in_training_only():
    homeostasis = voltage(0.0, rate=0.5)
    v, batch = torch.tensor([1.0, 0.0, -1.0]), torch.tensor([[2.0, 0.0, -2.0], [0.0, 0.0, 0.0]])
    homeostasis.membrane(batch, (), LIF(), dt=1.0)  # a mean of 1, 0, -1
    assert_close(homeostasis.exhaustion, v / 2)
    homeostasis.eval()
    assert_close(homeostasis.membrane(v, (), LIF(), dt=1.0)[0], v / 2)
    assert_close(homeostasis.exhaustion, v / 2)
    other = voltage(0.0, rate=0.5)
    other.load_state_dict(homeostasis.state_dict())
    assert_close(other.exhaustion, v / 2)


def test_the_gradient_passes_and_the_dtype_is_kept():
    v = torch.rand(N, requires_grad=True)
    voltage(0.0).membrane(v, (), LIF(), dt=1.0)[0].sum().backward()
    assert torch.equal(v.grad, torch.ones(N))
    assert voltage(0.0).double().membrane(v, (), LIF(), dt=1.0)[0].dtype == torch.float32


def test_a_limit():
    homeostasis = voltage(0.0, rate=0.5, limit=0.75)
    for _ in range(5):
        homeostasis.membrane(torch.tensor([1.0, 0.0, -1.0]), (), LIF(), dt=1.0)
    assert homeostasis.exhaustion.tolist() == [0.75, 0, -0.75]


def test_bad_voltage_homeostasis():
    with pytest.raises(ValueError, match=r"`target_voltage`, or `v_max` and `v_min` \[mV\], got no `v_min`"):
        VoltageHomeostasis(v_max=1.0)
    with pytest.raises(ValueError, match=r"`v_max` not to be below `v_min` \[mV\]"):
        VoltageHomeostasis(v_max=1.0, v_min=2.0)
    with pytest.raises(ValueError, match=r"`rate` to be positive \[1/ms\^2\], got 0"):
        VoltageHomeostasis(1.0, rate=0.0)
    with pytest.raises(ValueError, match=r"`limit` to be positive \[mV/ms\], or None, got 0"):
        VoltageHomeostasis(1.0, limit=0.0)
    for homeostasis in (VoltageHomeostasis(1.0), VoltageHomeostasis(1.0).eval()):
        with pytest.raises(RuntimeError, match=r"VoltageHomeostasis to belong to a population: call `bind"):
            homeostasis.membrane(torch.ones(N), (), LIF(), dt=1.0)


# Anything measured


def regulated(neuron, *args, **options):
    homeostasis = Homeostasis(*args, **{"low": 0.2, "high": 0.6, "rate": 0.1, **options})
    homeostasis.bind(torch.Size([N]), neuron)
    return homeostasis


def take(homeostasis, neuron, v, spikes, dt=1.0):
    state = homeostasis.initial_state(v)
    out, state = homeostasis.membrane(v, state, neuron, dt=dt)
    assert out is v or not isinstance(homeostasis, Homeostasis)
    out, state = homeostasis.spikes(spikes, state, neuron, dt=dt)
    assert out is spikes


def test_a_constant_moves_by_how_far_the_measure_is_outside():
    neuron = LIF(resistance=2.0)
    homeostasis = regulated(neuron, "resistance", lambda v, spikes: v, rate=-0.5)
    v = torch.tensor([1.0, 0.4, -0.2])
    take(homeostasis, neuron, v, torch.zeros(N), dt=0.5)
    assert_close(neuron.resistance, torch.tensor([1.9, 2.0, 2.1]))
    homeostasis.eval()
    take(homeostasis, neuron, v, torch.zeros(N))
    assert_close(neuron.resistance, torch.tensor([1.9, 2.0, 2.1]))


def test_a_running_mean_of_the_spikes_of_a_batch():
    neuron = LIF()
    homeostasis = regulated(neuron, "v_threshold", lambda v, spikes: spikes, smoothing=5.0, low=0.0, high=0.5)
    seen, kept = [], torch.exp(torch.tensor(-1 / 5))
    for spikes in (torch.rand(9, 4, N) < 0.5).float():
        before = neuron.v_threshold
        take(homeostasis, neuron, torch.zeros(4, N), spikes)
        seen.append(spikes.mean(0))
        weights = kept ** torch.arange(len(seen) - 1, -1, -1)
        mean = (torch.stack(seen) * weights[:, None]).sum(0) / weights.sum()
        assert_close(neuron.v_threshold, before + 0.1 * (mean - 0.5).clamp(min=0))


def test_bounds_of_the_constant():
    neuron = LIF()
    homeostasis = regulated(neuron, "v_threshold", lambda v, spikes: v, rate=9.0, minimum=0.5, maximum=1.5)
    take(homeostasis, neuron, torch.tensor([9.0, 0.4, -9.0]), torch.zeros(N))
    assert neuron.v_threshold.tolist() == [1.5, 1.0, 0.5]


def test_its_slow_state_is_in_the_state_dict():
    neuron = LIF()
    homeostasis = regulated(neuron, "v_threshold", lambda v, spikes: v, smoothing=3.0)
    take(homeostasis, neuron, torch.ones(N), torch.zeros(N))
    other = LIF()
    again = regulated(other, "v_threshold", lambda v, spikes: v, smoothing=3.0)
    again.load_state_dict(homeostasis.state_dict())
    other.load_state_dict(neuron.state_dict())
    for pair in ((homeostasis, neuron), (again, other)):
        take(*pair, torch.zeros(N), torch.zeros(N))
    assert torch.equal(neuron.v_threshold, other.v_threshold)


def test_bad_homeostasis():
    with pytest.raises(TypeError, match=r"`measure` to be a callable of potentials and spikes, got 'n\.v'"):
        Homeostasis("v_threshold", "n.v", low=0.0, high=1.0, rate=1.0)
    with pytest.raises(ValueError, match=r"`low` not to be above `high` \[1\], got 2.0 against 1.0"):
        regulated(LIF(), "v_threshold", torch.add, low=2.0, high=1.0)
    with pytest.raises(ValueError, match=r"`smoothing` not to be negative \[ms\], got -1"):
        regulated(LIF(), "v_threshold", torch.add, smoothing=-1.0)
    with pytest.raises(TypeError, match="`tau_mem` of the neurons to be fixed, since Homeostasis moves it"):
        regulated(LIF(tau_mem=nn.Parameter(torch.ones(1))), "tau_mem", torch.add)
    with pytest.raises(TypeError, match="neurons to have a constant `v_treshold`, got LIF"):
        regulated(LIF(), "v_treshold", torch.add)

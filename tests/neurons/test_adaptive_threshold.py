"""The adaptive threshold against its closed form, and its slow state."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

import conex_nn as cx
from conex_nn.neurons import LIF, ActivityHomeostasis, AdaptiveThreshold, Izhikevich, KWinners

N = 3


def adaptive(neuron, increment=0.05, tau=50.0):
    behavior = AdaptiveThreshold(increment, tau)
    behavior.bind(torch.Size([N]), neuron)
    return behavior


def feed(behavior, neuron, spikes, dt=1.0):
    for row in spikes:
        out, _ = behavior.spikes(row, (), neuron, dt=dt)
        assert out is row
    return behavior.theta.clone()


def closed_form(spikes, increment, tau, dt=1.0):
    """Every spike leaves its increment, which falls exponentially from the step after it on."""
    ages = torch.arange(len(spikes) - 1, -1, -1, dtype=spikes.dtype)
    return increment * (torch.exp(-dt * ages / tau)[:, None] * spikes).sum(0)


@pytest.mark.parametrize("dt", [0.25, 1.0])
def test_theta_is_a_sum_of_decayed_increments(dt):
    neuron = LIF(v_threshold=0.7).double()
    spikes = (torch.rand(200, N) < torch.tensor([0.0, 0.1, 0.6])).double()
    theta = feed(adaptive(neuron).double(), neuron, spikes, dt)
    increment, tau = torch.tensor([0.05, 50.0]).double()  # as they were given, in float32
    assert_close(theta, closed_form(spikes, increment, tau, dt), rtol=1e-12, atol=1e-12)
    assert_close(neuron.v_threshold, torch.tensor(0.7).double() + theta, rtol=0, atol=1e-12)
    assert theta[0] == 0 < theta[1] < theta[2]


def test_one_increment_for_each_neuron():
    neuron, increment = LIF(), torch.tensor([0.0, 0.1, 0.2])
    theta = feed(adaptive(neuron, increment), neuron, torch.ones(9, N))
    assert_close(theta, closed_form(torch.ones(9, N), increment, 50.0))


def test_a_batch_moves_it_by_its_mean():
    spikes = (torch.rand(20, 2, 4, N) < 0.3).float()
    theta = feed(adaptive(neuron := LIF()), neuron, spikes)
    assert_close(theta, closed_form(spikes.mean((1, 2)), 0.05, 50.0))


def test_roundings_do_not_add_up():
    neuron = LIF(v_rest=-65.0, v_reset=-60.0, v_threshold=-52.0)
    behavior = adaptive(neuron, increment=0.05, tau=1e4)
    feed(behavior, neuron, (torch.rand(5000, N) < 0.05).float())
    assert torch.equal(neuron.v_threshold, -52 + behavior.theta)


@pytest.mark.long
def test_it_decays_as_slowly_as_the_paper_wants():
    neuron = LIF(v_rest=-65.0, v_reset=-60.0, v_threshold=-52.0)
    behavior = adaptive(neuron, increment=20.0, tau=1e7)
    feed(behavior, neuron, torch.ones(1, N))
    assert_close(feed(behavior, neuron, torch.zeros(20_000, N)), torch.full((N,), 20 * 0.998), rtol=2e-4, atol=0)


def test_eval_uses_it_and_leaves_it():
    neuron = LIF()
    behavior = adaptive(neuron)
    feed(behavior, neuron, torch.ones(4, N))
    before = copy.deepcopy((behavior.state_dict(), neuron.state_dict()))
    behavior.eval()
    feed(behavior, neuron, torch.ones(40, N))
    assert_close((behavior.state_dict(), neuron.state_dict()), before, rtol=0, atol=0)
    assert (neuron.v_threshold > 1).all()


def test_neurons_and_winners_see_the_threshold_in_force():
    neuron, winners = LIF(), KWinners(1)
    winners.bind(torch.Size([N]), neuron)
    behavior = adaptive(neuron, increment=1.0)
    state = neuron.initial_state(torch.zeros(N))
    v = torch.tensor([1.9, 1.5, 0.0])
    assert neuron.fire(winners.membrane(v, (), neuron, dt=1.0)[0], state)[0].tolist() == [1, 0, 0]
    feed(behavior, neuron, torch.tensor([[1.0, 0.0, 0.0]]))
    assert neuron.fire(winners.membrane(v, (), neuron, dt=1.0)[0], state)[0].tolist() == [0, 1, 0]
    x = torch.full((20, N), 1.5)
    assert_close(neuron(x)[0], neuron(x, observe=lambda y, s: None)[0])  # fused, and step by step
    assert neuron(x)[0].sum(0).tolist()[0] == 0


def test_it_shares_the_winning_among_the_neurons_of_a_population():
    drive = torch.tensor([3.0, 2.9, 2.8]).expand(600, 1, N)
    counts = []
    for behaviors in ([], [AdaptiveThreshold(increment=0.02, tau=1e4)]):
        population = cx.Population(N, LIF(tau_mem=1.0), winners=KWinners(1), behaviors=behaviors)
        counts.append(population({"proximal": drive})[0].sum((0, 1)))
    alone, shared = counts
    assert alone.tolist() == [600, 0, 0]
    assert shared.min() > 0.8 * shared.max()


@pytest.mark.parametrize("cut", [5, 17])
def test_a_run_goes_on_from_its_state_dict(cut):
    spikes = (torch.rand(45, N) < 0.4).float()
    behavior = adaptive(neuron := LIF())
    feed(behavior, neuron, spikes[:cut])
    resumed = adaptive(other := LIF())
    other.load_state_dict(neuron.state_dict())
    resumed.load_state_dict(pickle.loads(pickle.dumps(behavior.state_dict())))
    assert torch.equal(feed(behavior, neuron, spikes[cut:]), feed(resumed, other, spikes[cut:]))
    assert torch.equal(neuron.v_threshold, other.v_threshold)
    assert set(behavior.state_dict()) == {"theta", "increment", "tau"}


def test_slow_state_is_replaced_never_written_to():
    behavior = adaptive(neuron := LIF())
    before = [(c, c.clone(), c._version) for c in (neuron.v_threshold, behavior.theta)]
    feed(behavior, neuron, torch.ones(4, N))
    assert all(c._version == version and torch.equal(c, copied) for c, copied, version in before)
    assert (behavior.theta > 0).all()


def test_it_learns_in_inference_mode_without_leaving_inference_tensors():
    behavior = adaptive(neuron := LIF())
    with torch.inference_mode():
        feed(behavior, neuron, torch.ones(4, N))
    assert not neuron.v_threshold.is_inference()
    neuron(torch.ones(5, N, requires_grad=True))[0].sum().backward()


def test_another_may_move_the_threshold_too():
    neuron = LIF()
    homeostasis = ActivityHomeostasis(activity_rate=1.0, window_size=2.0, updating_rate=0.1)
    homeostasis.bind(torch.Size([N]), neuron)
    behavior = adaptive(neuron, tau=1e6)
    for _ in range(2):
        for each in (behavior, homeostasis):
            each.spikes(torch.ones(N), (), neuron, dt=1.0)
    assert_close(neuron.v_threshold, torch.full((N,), 1 + 2 * 0.05 + 2 * 0.1), rtol=1e-5, atol=0)


def test_binding_again_keeps_what_was_learned():
    behavior = adaptive(neuron := LIF())
    feed(behavior, neuron, torch.ones(14, N))
    kept = copy.deepcopy((behavior.state_dict(), neuron.state_dict()))
    behavior.bind(torch.Size([N]), neuron)
    assert_close((behavior.state_dict(), neuron.state_dict()), kept, rtol=0, atol=0)


def test_izhikevichs_peak_is_a_threshold_too():
    feed(adaptive(neuron := Izhikevich()), neuron, torch.ones(10, N))
    assert (neuron.v_peak > 30).all()


def test_a_recomputed_step_is_refused():
    behavior = adaptive(neuron := LIF())

    def run(current):
        state = neuron.initial_state(current)
        for _ in range(2):
            spikes, state = neuron.step(current, state)
            behavior.spikes(spikes, (), neuron, dt=1.0)
        return spikes

    out = checkpoint(run, torch.ones(N, requires_grad=True), use_reentrant=False)
    with pytest.raises(RuntimeError, match=r"each step to be run once, got AdaptiveThreshold in a backward pass"):
        out.sum().backward()
    population = cx.Population(N, LIF(), behaviors=[AdaptiveThreshold()])
    net = cx.Neocortex(retina=cx.InputLayer(N), v1=population)
    net.connect("retina", "v1", cx.OneToOne)
    with pytest.raises(ValueError, match=r"`checkpoint_every` only where nothing is learned.*AdaptiveThreshold"):
        net(torch.ones(4, 1, N), checkpoint_every=2)


def test_bad_adaptive_threshold():
    with pytest.raises(ValueError, match=r"`increment` not to be negative \[mV\], got -0.1"):
        AdaptiveThreshold(increment=-0.1)
    for tau in (0.0, -5.0):
        with pytest.raises(ValueError, match=rf"`tau` to be positive \[ms\], got {tau:g}"):
            AdaptiveThreshold(tau=tau)
    with pytest.raises(ValueError, match=r"`tau` to be finite \[ms\], got inf"):
        AdaptiveThreshold(tau=float("inf"))
    with pytest.raises(TypeError, match="`v_threshold` of the neurons to be fixed, since AdaptiveThreshold moves it"):
        adaptive(LIF(v_threshold=nn.Parameter(torch.ones(1))))
    with pytest.raises(ValueError, match=r"`v_threshold` of the neurons to fit the population's shape \(3,\), got \(4"):
        adaptive(LIF(v_threshold=torch.ones(4)))
    with pytest.raises(ValueError, match=r"`increment` to fit the population's shape \(3,\), got \(2,\)"):
        adaptive(LIF(), increment=torch.ones(2))
    with pytest.raises(TypeError, match="neurons to have a constant `v_threshold`, got Identity"):
        adaptive(nn.Identity())
    with pytest.raises(ValueError, match=r"AdaptiveThreshold to see \(\*batch, 3\), got \(2, 4\)"):
        feed(adaptive(neuron := LIF()), neuron, torch.ones(1, 2, 4))
    with pytest.raises(RuntimeError, match=r"AdaptiveThreshold to belong to a population: call `bind"):
        AdaptiveThreshold().spikes(torch.ones(N), (), LIF(), dt=1.0)

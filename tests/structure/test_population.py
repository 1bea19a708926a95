"""Populations: their step, whole sequences, behaviors at their places, and what they refuse."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn.testing import check_module


class Trace(cx.Behavior):
    """Notes in which order the places of a step are visited; doubles what it gets, so that the order shows."""

    def __init__(self, name, log):
        super().__init__()
        self.name, self.log = name, log

    def current(self, current, state, neuron, *, dt):
        self.log.append(f"{self.name}.current")
        return 2 * current, state

    def membrane(self, v, state, neuron, *, dt):
        self.log.append(f"{self.name}.membrane")
        return v + 1, state

    def spikes(self, spikes, state, neuron, *, dt):
        self.log.append(f"{self.name}.spikes")
        return 3 * spikes, state


class Count(cx.Behavior):
    """Fast state: how many spikes there were."""

    def initial_state(self, x):
        return torch.zeros_like(x)

    def spikes(self, spikes, state, neuron, *, dt):
        return spikes, state + spikes


class Proximal(nn.Module):
    """A population with one input and one output, as the battery has them."""

    def __init__(self, population, compartment="proximal"):
        super().__init__()
        self.population, self.compartment = population, compartment

    def initial_state(self, x):
        return self.population.initial_state(x, [self.compartment])

    def step(self, x, state, *, dt=1.0):
        return self.population.step({self.compartment: x}, state, dt=dt)

    def forward(self, xs, state=None, *, dt=1.0):
        return self.population({self.compartment: xs}, state, dt=dt)


def decaying():
    return cx.Dendrite(tau_syn={"proximal": 3.0, "distal": 5.0})


@pytest.mark.parametrize(
    "make",
    [
        lambda: cx.Population(5, cx.LIF(tau_mem=3.0)),
        lambda: cx.Population(5, cx.LIF(tau_mem=3.0, refractory_time=2.0), dendrite=decaying()),
        lambda: cx.Population(5, cx.LIF(tau_mem=3.0), winners=cx.KWinners(2), behaviors=[Count()]),
        lambda: cx.Population(5, cx.Izhikevich()),
        lambda: cx.Population(
            5,
            cx.AELIF(tau_mem=3.0),
            voltage_homeostasis=cx.VoltageHomeostasis(0.5),
            activity_homeostasis=cx.ActivityHomeostasis(activity_rate=1, window_size=4, updating_rate=0.1),
        ),
    ],
)
def test_the_battery(make):
    scale = 20.0 if isinstance(make().neuron, cx.Izhikevich) else 4.0
    check_module(lambda: Proximal(make()), scale * torch.rand(10, 3, 5))


@pytest.mark.parametrize(
    "names", [("proximal",), ("proximal", "distal"), ("apical",), ("proximal", "distal", "apical")]
)
@pytest.mark.parametrize("grad", [True, False])
def test_a_sequence_equals_its_steps(names, grad):
    population = cx.Population((2, 3), cx.LIF(tau_mem=3.0), dendrite=decaying()).double()
    arrivals = {name: 3 * torch.rand(12, 4, 2, 3).double() for name in names}
    state, spikes = population.initial_state(arrivals[names[0]][0], names), []
    with torch.set_grad_enabled(grad):
        for t in range(12):
            s, state = population.step({name: xs[t] for name, xs in arrivals.items()}, state)
            spikes.append(s)
        whole, last = population(arrivals)
    assert whole.any() or names == ("apical",)
    assert_close(whole, torch.stack(spikes))
    for mine, theirs in zip(tree_leaves(last), tree_leaves(state), strict=True):
        assert_close(mine, theirs)


def test_a_pull_alone_does_not_fire():
    """It ends where pull and leak balance: v = tau (p - v), all per ms."""
    population = cx.Population(3, cx.LIF(tau_mem=3.0))
    for name in ("distal", "apical"):
        spikes, state = population({name: torch.full((100, 1, 3), 50.0)})
        assert not spikes.any()
        assert_close(state.neuron.v, torch.full((1, 3), 0.6))


def test_the_order_of_a_step():
    log = []
    winners = cx.KWinners(1)
    population = cx.Population(
        2, cx.LIF(tau_mem=1.0), behaviors={"a": Trace("a", log), "b": Trace("b", log)}, winners=winners
    )
    spikes, state = population.step({"proximal": torch.tensor([0.1, 4.0])}, population.initial_state(torch.zeros(2)))
    assert log == [f"{n}.{place}" for place in ("current", "membrane", "spikes") for n in "ab"]
    # 4 x the current, a winner, then +2 for both: the loser, at its reset, fires on what the behaviors add
    assert_close(spikes, torch.tensor([9.0, 9.0]))
    log.clear()
    population.behaviors["a"].enabled = False
    spikes, _ = population.step({"proximal": torch.tensor([0.1, 4.0])}, state)
    assert log == [f"b.{place}" for place in ("current", "membrane", "spikes")]
    assert_close(spikes, torch.tensor([3.0, 3.0]))


def test_behaviors_switched_off_leave_the_fast_path():
    population = cx.Population(4, cx.LIF(tau_mem=3.0), winners=cx.KWinners(1), behaviors=[Count()])
    xs = {"proximal": torch.full((8, 1, 4), 5.0)}
    spikes, state = population(xs)
    assert (spikes.sum(-1) <= 1).all()
    assert_close(state.behaviors[1], spikes.sum(0))
    assert not population.takes_sequences(["proximal"])
    population.winners.enabled = population.behaviors["0"].enabled = False
    assert population.takes_sequences(["proximal"])
    assert not population.takes_sequences(["proximal", "distal"])
    spikes, state = population(xs)
    assert_close(spikes, cx.LIF(tau_mem=3.0)(xs["proximal"])[0])
    assert not state.behaviors[1].any()  # it saw nothing


def test_what_is_observed():
    seen = []
    population = cx.Population(3, cx.LIF(tau_mem=3.0))
    xs = {"proximal": torch.rand(6, 2, 3) * 4, "distal": torch.rand(6, 2, 3)}
    spikes, _ = population(xs, observe=seen.append)
    assert_close(torch.stack([step["spikes"] for step in seen]), spikes)
    assert_close(seen[3]["arrivals"]["distal"], xs["distal"][3])
    assert_close(population(xs)[0], spikes)


def test_a_user_neuron_without_halves():
    class Perfect(nn.Module):
        def initial_state(self, x):
            return torch.zeros_like(x)

        def step(self, current, state, *, dt=1.0):
            v = state + current
            spikes = (v >= 1).to(v.dtype)
            return spikes, v - spikes

    population = cx.Population(2, Perfect(), behaviors=[Count()])
    spikes, state = population({"proximal": torch.full((8, 2), 0.5)})
    assert_close(spikes[:, 0], torch.tensor([0.0, 1.0] * 4))
    assert_close(state.behaviors[0], torch.full((2,), 4.0))
    with pytest.raises(
        TypeError, match=r"`neuron` to have `charge` and `fire`, since Trace comes between.*Perfect with `step` alone"
    ):
        cx.Population(2, Perfect(), behaviors=[Trace("x", [])])


@pytest.mark.parametrize("shape", [0, (), (3, 0), -1, 2.0, (2.5,), "3"])
def test_shapes(shape):
    with pytest.raises(
        (ValueError, TypeError), match=r"Expected `shape` to be positive whole numbers of neurons .*got"
    ):
        cx.Population(shape, cx.LIF())


@pytest.mark.parametrize("neuron", [cx.LIF, None, nn.Linear(2, 2), "LIF"])
def test_neurons(neuron):
    with pytest.raises(TypeError, match=r"Expected `neuron` to be a neuron model .*`LIF\(\)`, got"):
        cx.Population(3, neuron)


def test_constants_that_do_not_fit():
    with pytest.raises(ValueError, match=r"`neuron` to fit `shape` = \(3,\): .*`v_threshold` of shape \(2,\)"):
        cx.Population(3, cx.LIF(v_threshold=torch.tensor([1.0, 2.0])))


def test_behaviors_that_do_not_fit():
    with pytest.raises(TypeError, match="Expected `winners` to be a Behavior, got int"):
        cx.Population(3, cx.LIF(), winners=2)
    with pytest.raises(TypeError, match=r"Expected `behaviors.0` to be a Behavior, got Linear"):
        cx.Population(3, cx.LIF(), behaviors=[nn.Linear(1, 1)])
    with pytest.raises(ValueError, match=r"Expected `k` to be at most 3, the neurons in the population .*got 4"):
        cx.Population(3, cx.LIF(), winners=cx.KWinners(4))
    with pytest.raises(ValueError, match=r"`k` to be at most 2, the neurons along axis 0 .*got 3"):
        cx.Population((2, 5), cx.LIF(), winners=cx.KWinners(3, axis=0))
    with pytest.raises(TypeError, match="constant `v_threshold`, got LI without"):
        cx.Population(3, cx.LI(), winners=cx.KWinners(1))


@pytest.mark.parametrize(
    ("arrivals", "match"),
    [
        ({}, "`arrivals` at one compartment at least, got none"),
        ({"proximal": torch.rand(5, 2, 4)}, r"`arrivals\['proximal'\]` of shape \(time, \*batch, 3\), got \(5, 2, 4\)"),
        ({"proximal": torch.rand(3)}, r"got \(3,\)"),
        ({"proximal": torch.rand(0, 2, 3)}, r"got \(0, 2, 3\)"),
        ({"proximal": torch.rand(5, 3), "distal": torch.rand(4, 3)}, "equal numbers of steps, got .*5.*4"),
        ({"somatic": torch.rand(5, 3)}, "compartment among proximal, distal, apical, got 'somatic'"),
    ],
)
def test_arrivals_that_do_not_fit(arrivals, match):
    with pytest.raises(ValueError, match=match):
        cx.Population(3, cx.LIF())(arrivals)


def test_places_and_tags():
    population = cx.Population((2, 2, 3), cx.LIF(), tags="deep")
    assert population.tags == ("deep",)
    assert population.shape == (2, 2, 3)
    x, y, z = population.coordinates.T
    assert population.coordinates.shape == (12, 3)
    assert_close(x.reshape(2, 2, 3)[0, 0] - x.reshape(2, 2, 3)[0, 0, 0], torch.arange(3.0))
    assert len(set(map(tuple, population.coordinates.tolist()))) == 12
    assert x.unique().numel() == 3
    assert y.unique().numel() == 2
    assert z.unique().numel() == 2

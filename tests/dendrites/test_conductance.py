"""Conductances: currents toward a reversal potential, against a differential equation solved in fine steps."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.dendrites import Conductance, Dendrite, Drive, Pull
from conex_nn.neurons import AELIF, ELIF, IF, LIF, Izhikevich, Neuron
from conex_nn.structure import Population
from conex_nn.testing import check_module

CELL = {"tau_mem": 20.0, "resistance": 100.0, "v_rest": -65.0, "v_reset": -65.0, "v_threshold": 1e9}
REVERSAL, TAU = {"exc": 0.0, "inh": -80.0}, {"exc": 5.0, "inh": 10.0}


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def dendrite(tau=TAU):
    return Dendrite({name: Conductance(REVERSAL[name], tau_syn=tau[name]) for name in REVERSAL})


def potentials(neuron, arrivals, *, dt, made=None, state=None):
    """The potential of one cell after each step."""
    population = Population(1, neuron, dendrite=dendrite() if made is None else made).double()
    seen = []
    xs = {name: x[:, None] for name, x in arrivals.items()}
    population(xs, state, dt=dt, observe=lambda step: seen.append(step["state"].neuron.v))
    return torch.cat(seen)


def solved(arrivals, *, time, events_every, current=0.0, fine=4000):
    """The same membrane by a Runge-Kutta of fourth order whose steps are far shorter."""
    h, v, g = time / fine, -65.0, {"exc": 0.0, "inh": 0.0}

    def slope(v, s):
        through = sum(x * math.exp(-s / TAU[name]) * (REVERSAL[name] - v) for name, x in g.items())
        return (-65.0 - v) / 20.0 + (through + current) * 100.0 / 20.0

    every = round(events_every / h)
    for i in range(fine):
        if i % every == 0:
            for name in g:
                g[name] += float(arrivals[name][i // every])
        a = slope(v, 0.0)
        b = slope(v + h / 2 * a, h / 2)
        c = slope(v + h / 2 * b, h / 2)
        d = slope(v + h * c, h)
        v += h / 6 * (a + 2 * b + 2 * c + d)
        g = {name: x * math.exp(-h / TAU[name]) for name, x in g.items()}
    return v


def refined(arrivals, times):
    """The same arrivals in so many steps for one."""
    return {name: torch.stack([x, *[torch.zeros_like(x)] * (times - 1)], 1).flatten() for name, x in arrivals.items()}


_DRAWN = torch.rand(2, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
ARRIVALS = {"exc": 0.02 * _DRAWN[0], "inh": 0.03 * _DRAWN[1]}


# Is it true?


def test_against_a_differential_equation_in_fine_steps_it_is_of_second_order():
    exact = solved(ARRIVALS, time=20.0, events_every=1.0)
    errors = [
        abs(float(potentials(LIF(**CELL), refined(ARRIVALS, times), dt=1.0 / times)[-1]) - exact) for times in (1, 2, 4)
    ]
    assert errors[0] < 0.2
    assert errors[2] < 0.01
    for coarse, fine in itertools.pairwise(errors):
        assert 3.5 < coarse / fine < 4.5


def test_constant_conductances_are_exact():
    start = {"exc": f64(0.004)[None], "inh": f64(0.01)[None]}
    steady = Dendrite({name: Conductance(REVERSAL[name], tau_syn=1e12) for name in REVERSAL})
    population = Population(1, LIF(**CELL), dendrite=steady).double()
    state = population.initial_state(torch.zeros(1, 1, dtype=torch.float64))._replace(dendrite=start)
    total = 0.01 + 0.014
    aim = (0.01 * -65.0 + 0.01 * -80.0) / total
    for dt in (0.1, 2.0):
        _, after = population({"exc": torch.zeros(50, 1, 1, dtype=torch.float64)}, state, dt=dt)
        assert_close(after.neuron.v, f64(aim + (-65.0 - aim) * math.exp(-50 * dt * total / 0.2))[None])


def test_injected_currents_and_those_of_other_compartments_are_shunted_too():
    exact = solved(ARRIVALS, time=20.0, events_every=1.0, current=0.4)
    driven = Dendrite({**dict(dendrite().compartments.items()), "soma": Drive()})
    error = []
    for times in (1, 2):
        arrivals = refined(ARRIVALS, times)
        soma = torch.full_like(arrivals["exc"], 0.4)
        found = potentials(LIF(**CELL), {**arrivals, "soma": soma}, dt=1 / times, made=driven)
        error.append(abs(float(found[-1]) - exact))
    assert error[0] < 0.1
    assert error[0] / error[1] > 3.5
    x, v, cell = {"exc": f64(0.1)}, f64(-60.0), LIF(**CELL).double()
    made = driven.double()
    by_hand, _ = made.step({**x, "soma": f64(0.4)}, {}, v, cell, dt=1.0)
    injected, _ = made.step(x, {}, v, cell, dt=1.0, injected=f64(0.4))
    assert_close(injected, by_hand)


def test_the_potential_stays_between_reversals_however_strong_the_conductances():
    arrivals = {"exc": f64(*[50.0, 0.0] * 10), "inh": f64(*[0.0, 80.0] * 10)}
    found = potentials(LIF(**CELL), arrivals, dt=5.0)
    assert float(found.max()) <= 0
    assert float(found.min()) >= -80
    assert float(found.max()) > -20


@pytest.mark.parametrize("neuron", [LIF(**CELL, method="euler"), Izhikevich()])
def test_neurons_of_eulers_method_take_conductance_and_potential_at_the_start(neuron):
    made, v = dendrite(), torch.tensor([-60.0])
    current, state = made.step({"exc": torch.tensor([0.1]), "inh": torch.tensor([0.2])}, {}, v, neuron, dt=0.5)
    assert_close(current, torch.tensor([0.1 * 60 + 0.2 * -20]))
    assert_close(state["exc"], torch.tensor([0.1]))


def test_without_a_decay_a_conductance_is_open_for_one_step():
    made = Dendrite({"exc": Conductance(0.0)})
    found = potentials(LIF(**CELL), {"exc": f64(0.01, 0.0)}, dt=2.0, made=made)
    aim = (0.01 * -65.0) / 0.02
    after = aim + (-65 - aim) * math.exp(-2.0 * 0.02 / 0.2)
    assert_close(found, f64(after, -65 + (after + 65) * math.exp(-0.1)))


@pytest.mark.parametrize("neuron", [ELIF, AELIF])
def test_the_linear_part_of_exponential_neurons(neuron):
    extra = {"a": 0.0, "b": 0.0} if neuron is AELIF else {}
    found = potentials(neuron(**CELL, v_rh=1e6, delta_t=1.0, **extra), ARRIVALS, dt=0.5)
    assert_close(found, potentials(LIF(**CELL), ARRIVALS, dt=0.5))


def test_neurons_without_a_leak():
    made = Dendrite({"exc": Conductance(4.0, tau_syn=1e12)})
    found = potentials(IF(v_threshold=1e9, capacitance=2.0), {"exc": f64(0.5, 0.0, 0.0)}, dt=1.0, made=made)
    assert_close(found[-1], f64(4 - 4 * math.exp(-0.75))[0])


def test_a_pull_beside_a_conductance_is_shunted():
    made = Dendrite({"exc": Conductance(0.0, tau_syn=5.0), "tuft": Pull(0.8)}).double()
    cell, v = LIF.cortical().double(), f64(-65.0)
    alone, _ = made.step({"tuft": f64(1.0)}, {}, v, cell)
    both, _ = made.step({"tuft": f64(1.0), "exc": f64(1.0)}, {}, v, cell)
    only, _ = made.step({"exc": f64(1.0)}, {}, v, cell)
    assert 0 < float(both - only) < float(alone)


def test_spikes_cross_the_threshold_at_the_closed_time():
    steady = Dendrite({"exc": Conductance(0.0, tau_syn=1e12)})
    cell = LIF(**{**CELL, "v_threshold": -50.0})
    spikes, _ = Population(1, cell, dendrite=steady).double()({"exc": f64(0.01, *[0.0] * 199)[:, None]}, dt=0.1)
    aim = 0.01 * -65.0 / 0.02
    first = -(0.2 / 0.02) * math.log((-50 - aim) / (-65 - aim))
    assert int(spikes.nonzero()[0, 0]) == math.ceil(first / 0.1) - 1


# Is it lawful?


class Driven(nn.Module):
    """A population whose input is what arrives at its conductances."""

    def __init__(self):
        super().__init__()
        cell = LIF(tau_mem=20.0, resistance=100.0, v_rest=-65.0, v_reset=-65.0, v_threshold=-50.0)
        self.population = Population(3, cell, dendrite=dendrite())

    def initial_state(self, x):
        return self.population.initial_state(x)

    def step(self, x, state, *, dt=1.0):
        return self.population.step({"exc": x, "inh": 0.5 * x}, state, dt=dt)

    def forward(self, x, state=None, *, dt=1.0):
        return self.population({"exc": x, "inh": 0.5 * x}, state, dt=dt)


def test_the_battery():
    check_module(Driven, 0.05 * torch.rand(12, 4, 3))


def test_gradients_pass_through_time_to_arrivals_the_state_and_the_neurons():
    neuron = LIF(**{**CELL, "tau_mem": nn.Parameter(torch.tensor(20.0))})
    population = Population(1, neuron, dendrite=dendrite()).double()
    made = population.initial_state(torch.zeros(1, dtype=torch.float64))

    def run(exc, g):
        state = made._replace(dendrite={"exc": 0 * g, "inh": g})
        return population({"exc": exc[:, None]}, state)[1].neuron.v

    arrivals, g = torch.rand(5, dtype=torch.float64).requires_grad_(), f64(0.3).requires_grad_()
    assert torch.autograd.gradcheck(run, (0.02 * arrivals, g))
    run(arrivals, g).sum().backward()
    assert float(neuron.log_tau_mem.grad.abs()) > 0


def test_constants_move_and_are_shown():
    made = Conductance(torch.tensor([0.0, -80.0]), tau_syn=5.0)
    assert set(made.state_dict()) == {"reversal", "tau_syn"}
    assert repr(made) == "Conductance(reversal=<2>, tau_syn=5)"
    assert made.double().reversal.dtype == torch.float64
    with torch.device("meta"):
        repr(Conductance(0.0))


def test_what_depends_on_the_potential_takes_its_steps_one_by_one():
    assert not dendrite().linear(["exc"])
    with pytest.raises(ValueError, match="do not look at the membrane potential, got 'exc'"):
        dendrite()({"exc": torch.ones(3, 1)})


# Does it fail well?


def test_bad_constants():
    with pytest.raises(ValueError, match=r"`reversal` to be finite \[mV\], got nan"):
        Conductance(float("nan"))
    with pytest.raises(TypeError, match=r"`reversal` to be fixed \[mV\]"):
        Conductance(nn.Parameter(torch.zeros(1)))
    with pytest.raises(ValueError, match=r"`tau_syn` to be positive \[ms\], got -1"):
        Conductance(0.0, tau_syn=-1.0)


def test_neurons_without_a_potential():
    class Counter(Neuron):
        pass

    with pytest.raises(TypeError, match=r"`v`, the membrane potential \[mV\].*got None"):
        Dendrite({"exc": Conductance(0.0)}).step({"exc": torch.ones(1)}, {}, None, Counter())

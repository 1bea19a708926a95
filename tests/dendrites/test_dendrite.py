"""Dendrites: what decays, what pulls, and sequences at once."""

import copy
import itertools
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.dendrites import Compartment, Dendrite, Drive, Pull
from conex_nn.neurons import ELIF, IF, LIF
from conex_nn.scan import scan

N = 4
PER_NEURON = torch.linspace(2.0, 9.0, N)


def run(dendrite, neuron, arrivals, steps, dt=1.0, start=None):
    """Run a dendrite on neurons step by step; return all spikes and potentials."""
    neuron = neuron.double()
    x = torch.zeros(N if start is None else (3, N), dtype=torch.float64)
    state, cells = dendrite.double().initial_state(x), neuron.initial_state(x)
    cells = cells if start is None else cells._replace(v=start.double() + x)
    spikes, potentials = [], []
    for t in range(steps):
        current, state = dendrite.step(arrivals(t), state, cells.v, neuron, dt=dt)
        fired, cells = neuron.step(current, cells, dt=dt)
        spikes.append(fired)
        potentials.append(cells.v)
    return torch.stack(spikes), torch.stack(potentials)


def strong(*names):
    return lambda t: {name: torch.full((N,), 1e3, dtype=torch.float64) for name in names}


# Is it true?


def test_a_synaptic_current_decays_exponentially_whatever_the_step():
    dendrite = Dendrite(tau_syn=5.0).double()
    start = torch.full((N,), 3.0, dtype=torch.float64)
    for dt in (0.25, 1.0, 4.0):
        current, state = dendrite.step({"proximal": start}, {}, None, nn.Identity(), dt=dt)
        for k in range(1, 6):
            assert_close(current, 3 * torch.full((N,), math.exp(-(k - 1) * dt / 5), dtype=torch.float64))
            current, state = dendrite.step({}, state, None, nn.Identity(), dt=dt)
        assert set(state) == {"proximal"}


def test_what_decays_is_the_current_and_the_pull_is_made_afresh_from_it():
    dendrite = Dendrite({"distal": Pull(0.8, tau_syn=4.0)}).double()
    v, neuron = torch.linspace(-1, 1, N).double(), LIF(tau_mem=20.0).double()
    kept, state = torch.zeros(N).double(), {}
    for arrived in torch.rand(6, N).double():
        kept = kept * math.exp(-1 / 4) + arrived
        current, state = dendrite.step({"distal": arrived}, state, v, neuron)
        assert_close(current, 20 * kept.tanh() * (0.8 - v).clamp(min=0))
        assert_close(state["distal"], kept)


def test_the_sum_of_all_compartments_by_hand():
    dendrite, neuron = Dendrite({"proximal": Drive(), "distal": Pull(0.5), "apical": Pull(0.9)}), LIF(tau_mem=10.0)
    v = torch.tensor([0.0, 0.4, 0.7, 0.95])
    arrivals = {"proximal": torch.randn(N), "distal": torch.full((N,), 0.2), "apical": torch.full((N,), -0.3)}
    lift = math.tanh(0.2) * (0.5 - v).clamp(min=0) + math.tanh(-0.3) * (0.9 - v).clamp(min=0)
    current, state = dendrite.step(arrivals, {}, v, neuron)
    assert_close(current, arrivals["proximal"] + 10 * lift)
    assert state == {}


@pytest.mark.parametrize("dt", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("names", [("distal",), ("distal", "apical")])
@pytest.mark.parametrize(
    "neuron",
    [
        LIF(tau_mem=10.0), LIF(tau_mem=0.5), LIF(tau_mem=100.0, method="euler"), LIF.cortical(v_reset=-90.0),
        IF(), IF(capacitance=0.1, v_reset=-5.0), ELIF(), LIF(v_threshold=torch.linspace(0.5, 9, N)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tau_syn", [None, 20.0])
def test_distal_input_alone_primes_a_cell_and_never_fires_it(neuron, names, dt, tau_syn):
    neuron = copy.deepcopy(neuron).double()
    target = neuron.v_rest + 0.8 * (neuron.v_threshold - neuron.v_rest)
    below = torch.tensor([[0.0], [1.0], [100.0]])  # from rest, and from far below it
    start = neuron.v_rest - below * (neuron.v_threshold - neuron.v_rest)
    spikes, potentials = run(Dendrite(tau_syn=tau_syn), neuron, strong(*names), 100, dt=dt, start=start)
    assert not spikes.any()
    if not isinstance(neuron, ELIF):  # whose upstroke goes on by itself for a moment
        assert (potentials <= target + 1e-6).all()
    assert (potentials[-1] > neuron.v_rest).all()


def test_the_pull_is_the_formula_where_it_would_not_overshoot():
    neuron, v = LIF(tau_mem=10.0).double(), torch.linspace(-0.75, 1.2, N).double()
    for dt in (0.1, 1.0):
        current, _ = Dendrite().double().step({"distal": torch.full((N,), 1e3).double()}, {}, v, neuron, dt=dt)
        assert_close(current, 10 * (0.8 - v).clamp(min=0), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("names", [("far", "near"), ("near", "far")])
def test_several_pulls_together_reach_the_highest_of_their_targets(names):
    compartments = {"far": Pull(0.9), "near": Pull(0.5)}
    dendrite = Dendrite({name: compartments[name] for name in names})
    _, potentials = run(dendrite, LIF(tau_mem=50.0), strong("far", "near"), 100)
    assert (potentials <= 0.9 + 1e-6).all()
    assert (potentials[-1] > 0.85).all()


def test_the_pull_vanishes_at_its_target():
    neuron = LIF(tau_mem=10.0)
    for v in (0.8, 0.9, 5.0):
        current, _ = Dendrite().step(strong("distal", "apical")(0), {}, torch.full((N,), v), neuron)
        assert not current.any()


def test_a_primed_cell_fires_at_an_input_that_is_too_weak_alone():
    def weak(t):
        return {"proximal": torch.full((N,), 4.0).double() * (t == 20)}

    assert not run(Dendrite(), LIF(), weak, 30)[0].any()
    both = run(Dendrite(), LIF(), lambda t: {**weak(t), **strong("distal")(t)}, 30)[0]
    assert both[20].all()
    assert both.sum() == N


def test_pulling_converges_with_the_step():
    found = []
    for dt in (0.2, 0.1, 0.05, 0.025):
        arrivals = {"distal": torch.full((N,), 0.3).double()}
        found.append(run(Dendrite(), LIF(), lambda t, a=arrivals: a, round(3 / dt), dt=dt)[1][-1])
    # dv/dt = -v / 10 + tanh(0.3) (0.8 - v)
    rate = 0.1 + math.tanh(0.3)
    truth = 0.8 * math.tanh(0.3) / rate * (1 - math.exp(-3 * rate))
    errors = [(v - truth).abs().max().item() for v in found]
    for coarse, fine in itertools.pairwise(errors):
        assert coarse / fine == pytest.approx(2, abs=0.15)


# Is it lawful?

DENDRITES = {
    "plain": Dendrite,
    "decaying": lambda: Dendrite(tau_syn=5.0),
    "decaying per neuron": lambda: Dendrite(tau_syn=PER_NEURON),
    "decaying in part": lambda: Dendrite({"soma": Drive(), "proximal": Drive(3.0), "basal": Drive(9.0)}),
    "one": lambda: Dendrite({"proximal": Drive(3.0)}),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", DENDRITES)
def test_a_sequence_equals_its_steps_and_is_as_differentiable(name, dtype):
    dendrite = DENDRITES[name]().to(dtype)
    names = [n for n in dendrite.names if dendrite.linear([n])]
    found = []
    for whole in (True, False):
        torch.manual_seed(1)
        xs = {n: torch.randn(7, 2, N, dtype=dtype).requires_grad_() for n in names}
        state = dendrite.initial_state(torch.zeros(2, N, dtype=dtype), names)
        state = {n: torch.randn_like(t).requires_grad_() for n, t in state.items()}
        start = state
        if whole:
            ys, after = dendrite(xs, state, dt=0.5)
        else:
            ys = []
            for t in range(7):
                y, state = dendrite.step({n: x[t] for n, x in xs.items()}, state, None, nn.Identity(), dt=0.5)
                ys.append(y)
            ys, after = torch.stack(ys), state
        assert ys.dtype == dtype
        (ys.float().cumsum(0).sum() + sum(t.float().sum() for t in after.values())).backward()
        grads = [t.grad for t in (*xs.values(), *start.values())]
        found.append((ys, [after[n] for n in sorted(after)], grads))
    tolerance = {"rtol": 0.05, "atol": 0.05} if dtype == torch.bfloat16 else {}
    assert_close(found[0], found[1], **tolerance)


def test_a_sequence_equals_its_halves_also_where_nothing_arrives_any_more():
    dendrite = Dendrite(tau_syn=5.0)
    x, other = torch.randn(9, N), Dendrite({"proximal": Drive(5.0), "soma": Drive()})
    ys, after = dendrite({"proximal": x})
    first, state = dendrite({"proximal": x[:4]})
    second, state = dendrite({"proximal": x[4:]}, state)
    assert_close((torch.cat([first, second]), state), (ys, after))
    _, state = other({"proximal": x})
    silent, last = other({"soma": torch.zeros(3, N)}, state)
    assert_close(silent, state["proximal"] * torch.exp(-torch.arange(1, 4)[:, None] / 5))
    assert_close(last["proximal"], silent[-1])
    by_step = scan(lambda x, s: other.step({"soma": x}, s, None, nn.Identity()), torch.zeros(3, N), state)
    assert_close(by_step, (silent, last))


def test_one_drive_costs_nothing():
    x = torch.randn(5, N)
    assert Dendrite()({"proximal": x})[0] is x


def test_nothing_is_kept_and_no_argument_changed():
    dendrite, neuron, v = Dendrite(tau_syn=3.0), LIF(), torch.zeros(N)
    arrivals = {name: torch.rand(N) for name in dendrite.names}
    state = dendrite.initial_state(v)
    copies = [t.clone() for t in (*arrivals.values(), *state.values())]
    one, after = dendrite.step(arrivals, state, v, neuron)
    dendrite({"proximal": torch.ones(3, N)}, {"proximal": after["proximal"]})
    two, _ = dendrite.step(arrivals, state, v, neuron)
    assert torch.equal(one, two)
    assert all(map(torch.equal, copies, (*arrivals.values(), *state.values())))
    assert list(after) == ["proximal", "distal", "apical"]


def test_gradients_through_a_step_of_everything():
    dendrite, neuron = Dendrite(tau_syn=3.0).double(), LIF().double()

    def call(v, *tensors):
        arrivals = dict(zip(dendrite.names, tensors[:3], strict=True))
        state = dict(zip(dendrite.names, tensors[3:], strict=True))
        current, after = dendrite.step(arrivals, state, v, neuron, dt=0.5)
        return current, *after.values()

    tensors = [torch.rand(N, dtype=torch.float64).requires_grad_() for _ in range(7)]
    assert torch.autograd.gradcheck(call, tensors)


def test_a_compartment_of_the_users():
    class Shunt(Compartment):
        pulls = True

        def forward(self, current, v, neuron):
            return -current * (v - neuron.v_rest)

    dendrite = Dendrite({"proximal": Drive(), "shunt": Shunt(tau_syn=2.0)})
    assert dendrite.names == ("proximal", "shunt")
    assert (dendrite.linear(["proximal"]), dendrite.linear(["shunt"])) == (True, False)
    current, _ = dendrite.step({"shunt": torch.ones(N)}, {}, torch.full((N,), 0.5), LIF())
    assert_close(current, torch.full((N,), -0.5))


def test_time_constants_by_name():
    dendrite = Dendrite(tau_syn={"distal": 3.0})
    assert list(dendrite.initial_state(torch.zeros(N))) == ["distal"]
    assert dendrite.compartments["distal"].tau_syn.item() == 3


def test_meta_and_state_dict():
    dendrite = Dendrite(tau_syn=PER_NEURON)
    assert set(dendrite.state_dict()) == {
        "compartments.proximal.tau_syn", "compartments.distal.tau_syn", "compartments.distal.p",
        "compartments.apical.tau_syn", "compartments.apical.p",
    }  # fmt: skip
    ys, _ = dendrite.to("meta")({"proximal": torch.ones(3, 2, N, device="meta")})
    assert ys.is_meta
    assert ys.shape == (3, 2, N)


# Does it fail well?


def test_a_compartment_that_does_not_exist():
    for call in (
        lambda d: d.check(["distl"]),
        lambda d: d.linear(["distl"]),
        lambda d: d({"distl": torch.ones(2, N)}),
        lambda d: d.step({"distl": torch.ones(N)}, {}, torch.ones(N), LIF()),
        lambda d: d.step({}, {"distl": torch.ones(N)}, torch.ones(N), LIF()),
        lambda d: d.initial_state(torch.ones(N), ["distl"]),
    ):
        with pytest.raises(ValueError, match=r"among proximal, distal, apical, got 'distl'. Is it 'distal'\?"):
            call(Dendrite())


def test_a_sequence_at_a_compartment_that_pulls():
    with pytest.raises(ValueError, match=r"do not look at the membrane potential, got 'distal'.*with `step`"):
        Dendrite()({"proximal": torch.ones(2, N), "distal": torch.ones(2, N)})
    dendrite = Dendrite(tau_syn=2.0)
    state = {"distal": torch.ones(N)}
    with pytest.raises(ValueError, match=r"synaptic current of 'distal' in `state` to be 0 \[nA\]"):
        dendrite({"proximal": torch.ones(2, N)}, state)


def test_no_arrivals():
    with pytest.raises(ValueError, match="`arrivals` at one compartment at least, got none"):
        Dendrite()({})
    with pytest.raises(ValueError, match="`arrivals` at one compartment at least, got none"):
        Dendrite().step({}, {}, None, LIF())
    assert Dendrite().step({}, {}, torch.ones(N), LIF())[0].tolist() == [0] * N


def test_no_steps():
    with pytest.raises(ValueError, match=r"`arrivals\['proximal'\]` of at least one time step"):
        Dendrite()({"proximal": torch.ones(0, N)})


def test_a_state_of_a_compartment_that_does_not_decay():
    with pytest.raises(ValueError, match="`state` of compartments with a `tau_syn`, got 'proximal', which has none"):
        Dendrite()({"proximal": torch.ones(2, N)}, {"proximal": torch.ones(N)})


def test_bad_compartments():
    with pytest.raises(ValueError, match="`compartments` to hold one at least, got none"):
        Dendrite({})
    with pytest.raises(TypeError, match=r"`compartments\['soma'\]` to be a Compartment, got Identity"):
        Dendrite({"soma": nn.Identity()})
    for name in ("a.b", "keys", ""):
        with pytest.raises(ValueError, match=f"names of compartments like 'distal', got '{name}'"):
            Dendrite({name: Drive()})
    with pytest.raises(ValueError, match=r"`tau_syn` for the default compartments alone \[ms\]"):
        Dendrite({"soma": Drive()}, tau_syn=3.0)
    with pytest.raises(ValueError, match=r"`tau_syn` for compartments among proximal.*got \['basal'\]"):
        Dendrite(tau_syn={"basal": 3.0})

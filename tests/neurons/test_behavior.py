"""Places of a step, noise, and winners."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.neurons import AELIF, LIF, Behavior, FromSnnTorch, Izhikevich, KWinners, Noise


def bound(behavior, shape, neuron=None):
    behavior.bind(torch.Size(shape), LIF() if neuron is None else neuron)
    return behavior


# Behavior


class Everything(Behavior):
    tags = ("mine",)

    def spikes(self, spikes, state, neuron, *, dt):
        return spikes * 2, state

    def current(self, current, state, neuron, *, dt):
        return current + 1, state


class Child(Everything):
    def membrane(self, v, state, neuron, *, dt):
        return v, state


def test_places_are_what_a_class_defines_in_the_order_of_a_step():
    assert Behavior().places == ()
    assert Everything().places == ("current", "spikes")
    assert Child().places == ("current", "membrane", "spikes")
    assert Child().tags == ("mine",)
    assert (Noise(1.0).places, KWinners(1).places) == (("membrane",), ("membrane",))


def test_the_places_of_the_base_change_nothing():
    x, behavior = torch.randn(3), Behavior()
    for place in (behavior.current, behavior.membrane, behavior.spikes):
        y, state = place(x, (1,), LIF(), dt=1.0)
        assert y is x
        assert state == (1,)
    assert behavior.initial_state(x) == ()


def test_it_is_switched_for_itself():
    one, other = Everything(), Everything()
    one.enabled = False
    assert other.enabled
    assert not copy.deepcopy(one).enabled
    assert not pickle.loads(pickle.dumps(one)).enabled


def test_it_belongs_to_one_population():
    behavior = bound(Noise(1.0), (3,))
    behavior.bind(torch.Size([3]), LIF())
    with pytest.raises(ValueError, match=r"Noise to belong to one population, .*\(4,\) after one of \(3,\)"):
        behavior.bind(torch.Size([4]), LIF())


# Noise


@pytest.mark.parametrize("dt", [0.25, 1.0, 4.0])
def test_noise_adds_up_to_the_same_whatever_the_step(dt):
    v, noise = torch.zeros(20000), Noise(0.5, offset=0.1)
    for _ in range(round(8 / dt)):
        v, _ = noise.membrane(v, (), LIF(), dt=dt)
    assert v.mean() == pytest.approx(0.8, abs=0.05)
    assert v.std() == pytest.approx(0.5 * 8**0.5, rel=0.05)


def test_noise_of_any_distribution():
    v, _ = Noise(2.0, draw=torch.rand_like).membrane(torch.ones(1000), (), LIF(), dt=1.0)
    assert v.min() >= 1
    assert v.max() <= 3
    seeded = Noise(1.0, draw=lambda x: torch.randn(x.shape, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(*(seeded.membrane(torch.zeros(9), (), LIF(), dt=1.0)[0] for _ in range(2)))


def test_noise_per_neuron_passes_the_gradient_keeps_the_dtype_and_does_not_stop_in_eval():
    noise = Noise(torch.tensor([0.0, 5.0])).eval()
    v = torch.zeros(50, 2, requires_grad=True)
    out, _ = noise.membrane(v, (), LIF(), dt=1.0)
    assert not out[:, 0].any()
    assert out[:, 1].std() > 3
    out.sum().backward()
    assert torch.equal(v.grad, torch.ones(50, 2))
    assert Noise(1.0).membrane(torch.zeros(3, dtype=torch.bfloat16), (), LIF(), dt=1.0)[0].dtype == torch.bfloat16
    assert set(noise.state_dict()) == {"scale", "offset"}


def test_a_trainable_scale():
    noise = Noise(nn.Parameter(torch.tensor(1.0)))
    noise.membrane(torch.zeros(100), (), LIF(), dt=1.0)[0].square().sum().backward()
    assert noise.scale.grad > 0


def test_bad_noise():
    with pytest.raises(ValueError, match=r"`scale` not to be negative \[mV/sqrt\(ms\)\], got -1"):
        Noise(-1.0)
    with pytest.raises(TypeError, match=r"`draw` to be a callable such as torch.randn_like, got 'normal'"):
        Noise(1.0, draw="normal")


# Winners


def reference_winners(v, threshold, reset, k):
    """A slow loop over one row: the same rule."""
    order = sorted((i for i in range(len(v)) if v[i] >= threshold[i]), key=lambda i: -(v[i] - threshold[i]).item())
    return torch.stack([reset[i] if i in order[k:] else v[i] for i in range(len(v))])


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
@pytest.mark.parametrize("batch", [(), (5,), (2, 3)])
def test_winners_are_those_of_a_slow_loop(axis, batch):
    shape = (3, 4, 2)
    neuron = LIF(v_threshold=torch.rand(shape) + 0.5, v_reset=-torch.rand(shape))
    v = 4 * torch.rand(*batch, *shape)
    got, _ = bound(KWinners(2, axis), shape, neuron).membrane(v, (), neuron, dt=1.0)

    def rows(x):
        x = x.expand(*batch, *shape)
        last = x.flatten(-3) if axis is None else x.movedim(axis - 3, -1)
        return last.reshape(-1, last.shape[-1])

    every = zip(rows(v), rows(neuron.v_threshold), rows(neuron.v_reset), rows(got), strict=True)
    for row, threshold, reset, winners in every:
        assert torch.equal(winners, reference_winners(row, threshold, reset, 2))


def test_exactly_k_fire_also_with_ties_and_none_is_touched_where_fewer_would():
    neuron = LIF()
    behavior = bound(KWinners(3), (10,), neuron)
    state = neuron.initial_state(torch.zeros(4, 10))
    v = torch.stack([torch.full((10,), 2.0), torch.zeros(10), torch.linspace(0, 2, 10), torch.full((10,), 0.99)])
    v[1, :2] = 1.0
    at = torch.ones(1, 10)  # who is at the threshold would fire
    assert bound(KWinners(3), (10,), neuron).membrane(at, (), neuron, dt=1.0)[0].sum() == 3
    won, _ = behavior.membrane(v, (), neuron, dt=1.0)
    spikes, after = neuron.fire(won, state)
    assert spikes.sum(1).tolist() == [3, 2, 3, 0]
    assert torch.equal(won[[1, 3]], v[[1, 3]])
    assert not after.v[0].any()


def test_a_high_potential_below_its_threshold_takes_nobodys_place():
    neuron = LIF(v_threshold=torch.tensor([10.0, 1.0, 1.0]))
    won, _ = bound(KWinners(1), (3,), neuron).membrane(torch.tensor([9.0, 2.0, 3.0]), (), neuron, dt=1.0)
    assert won.tolist() == [9, 0, 3]


def test_losers_get_no_gradient_and_winners_all_of_it():
    neuron, v = LIF(), torch.tensor([2.0, 3.0, 0.5, 1.5], requires_grad=True)
    won, _ = bound(KWinners(1), (4,), neuron).membrane(v, (), neuron, dt=1.0)
    won.sum().backward()
    assert v.grad.tolist() == [0, 1, 1, 0]


def test_losers_do_not_adapt():
    neuron = AELIF(a=0.0, b=1.0)
    won, _ = bound(KWinners(1), (2,), neuron).membrane(torch.tensor([2.0, 3.0]), (), neuron, dt=1.0)
    _, state = neuron.fire(won, neuron.initial_state(torch.zeros(2)))
    assert state.w.flatten().tolist() == [0, 1]


def test_winners_among_izhikevichs_neurons():
    neuron = Izhikevich()
    won, _ = bound(KWinners(1), (2,), neuron).membrane(torch.tensor([40.0, 35.0]), (), neuron, dt=1.0)
    assert won.tolist() == [40, -65]


def test_all_may_win():
    v = torch.rand(7) * 3
    assert torch.equal(bound(KWinners(7), (7,)).membrane(v, (), LIF(), dt=1.0)[0], v)


def test_winners_on_meta():
    neuron = LIF().to("meta")
    won, _ = bound(KWinners(2), (4,), neuron).membrane(torch.zeros(3, 4, device="meta"), (), neuron, dt=1.0)
    assert won.shape == (3, 4)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "all"])
def test_a_bad_number_of_winners(k):
    with pytest.raises(ValueError, match=r"`k` to be a positive whole number of winners \[1\], got"):
        KWinners(k)


def test_winners_that_do_not_fit_the_population():
    with pytest.raises(ValueError, match=r"`k` to be at most 12, the neurons in the population of shape \(3, 4\)"):
        bound(KWinners(13), (3, 4))
    with pytest.raises(ValueError, match=r"`k` to be at most 3, the neurons along axis 0 of shape \(3, 4\), got 4"):
        bound(KWinners(4, axis=0), (3, 4))
    for axis in (2, -1):
        with pytest.raises(ValueError, match=rf"`axis` to be one of the population's 2 axes, 0 to 1, got {axis}"):
            bound(KWinners(1, axis=axis), (3, 4))
    with pytest.raises(TypeError, match="`axis` to be an axis of the population's shape, or None, got 'depth'"):
        KWinners(1, axis="depth")


def test_winners_without_a_population_or_threshold():
    with pytest.raises(RuntimeError, match=r"KWinners to belong to a population: call `bind\(shape, neuron\)`"):
        KWinners(1).membrane(torch.ones(3), (), LIF(), dt=1.0)
    with pytest.raises(TypeError, match="neurons to have a constant `v_threshold`, got Identity without"):
        bound(KWinners(1), (3,), nn.Identity())
    import snntorch

    with pytest.raises(TypeError, match="got FromSnnTorch without"):
        bound(KWinners(1), (3,), FromSnnTorch(snntorch.Leaky(beta=0.9)))


def test_a_population_of_winners_step_by_step():
    neuron = LIF(tau_mem=5.0, refractory_time=2.0)
    noise, winners = bound(Noise(0.3), (20,), neuron), bound(KWinners(2), (20,), neuron)
    state = neuron.initial_state(torch.zeros(4, 20))
    total = 0
    for current in 4 * torch.rand(50, 4, 20):
        v = neuron.charge(current, state)
        for behavior in (noise, winners):
            v, _ = behavior.membrane(v, (), neuron, dt=1.0)
        spikes, state = neuron.fire(v, state)
        assert (spikes.sum(1) <= 2).all()
        total += spikes.sum()
    assert total > 200
    assert_close(state.v[spikes > 0], torch.zeros(int(spikes.sum())))

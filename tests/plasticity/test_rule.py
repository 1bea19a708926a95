"""What holds for every rule: any wiring, any cut of time, any batch."""

import pytest
import torch
from torch import nn

from conex_nn.plasticity import BCM, STDP, Clopath, Rule, Term, combine, trace
from conex_nn.plasticity.rule import Activity
from conex_nn.synapses import Conv2d, Dense
from tests.synapses.reference import KINDS, matrix

from .rules import RULES, sequence

WIRINGS = [
    "Dense shapes", "Dense mask", "OneToOne", "Sparse density", "Conv2d", "Conv2d stride", "Local2d", "Local2d stride",
    "Lateral", "Lateral ring",
]  # fmt: skip


@pytest.fixture(params=RULES)
def make(request):
    return RULES[request.param]


@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_wiring_learns_as_its_dense_matrix_does(make, wiring):
    synapse_of, entries_of = KINDS[wiring]
    synapse = synapse_of().double()
    entries = entries_of(synapse)
    pre, post, modulators, v = sequence(synapse.source_shape, synapse.target_shape)
    dense = Dense(synapse.source_shape, synapse.target_shape).double()
    dense.weight.data = matrix(entries, synapse.weight.data, synapse)
    expected = torch.zeros_like(synapse.weight).flatten()
    rule = make()
    change, _ = rule.update(dense, None, pre, post, modulators, v=v, keep_state=False)
    for target, source, index, factor in entries:
        expected[index] += factor * change[target, source]
    got, _ = make().update(synapse, None, pre, post, modulators, v=v, keep_state=False)
    torch.testing.assert_close(got, expected.reshape(got.shape), rtol=1e-10, atol=1e-12)
    assert got.any()


@pytest.mark.parametrize("parts", [[12], [3, 4, 5], [1] * 12])
def test_a_sequence_is_its_parts(make, parts):
    synapse = Dense(4, 3).double()
    pre, post, modulators, v = sequence((4,), (3,), batch=1)
    whole, _ = make().update(synapse, None, pre, post, modulators, v=v, keep_state=False)
    rule, total, state, at = make(), torch.zeros_like(synapse.weight), None, 0
    for steps in parts:
        here = slice(at, at + steps)
        given = {name: signal[here] for name, signal in modulators.items()}
        change, state = rule.update(synapse, state, pre[here], post[here], given, v=v[here])
        total, at = total + change, at + steps
    torch.testing.assert_close(total, whole, rtol=1e-10, atol=1e-12)


def test_a_batch_is_the_mean_of_its_samples(make):
    synapse = nn.Linear(4, 3).double()
    pre, post, modulators, v = sequence((4,), (3,))
    whole, state = make().update(synapse, None, pre, post, modulators, v=v, keep_state=False)
    assert state is None
    total = 0
    for i in range(3):
        one = slice(i, i + 1)
        given = {"dopamine": modulators["dopamine"][:, one], "novelty": modulators["novelty"]}
        total += make().update(synapse, None, pre[:, one], post[:, one], given, v=v[:, one])[0] / 3
    torch.testing.assert_close(whole, total, rtol=1e-10, atol=1e-12)


def test_it_changes_nothing_by_itself(make):
    synapse = nn.Linear(4, 3).double()
    given = sequence((4,), (3,))
    before = [synapse.weight.clone(), given[0].clone(), given[1].clone(), given[3].clone()]
    pre, post, modulators, v = given
    make().update(synapse, None, pre, post, modulators, v=v, keep_state=False)
    for tensor, kept in zip([synapse.weight, pre, post, v], before, strict=True):
        assert torch.equal(tensor, kept)


def test_halving_the_step_converges(make):
    """The same spike times on a finer grid: what differs is only what discretises rates and potentials."""
    synapse = nn.Linear(4, 3).double()
    pre, post, _, v = sequence((4,), (3,), steps=40, batch=1)
    modulators = {"dopamine": 1.0, "novelty": 0.5}
    results = []
    for fine in (4, 8, 16):
        spikes = torch.zeros(2, 40 * fine, 1, 4).double()
        spikes[0, ::fine], spikes[1, ::fine, :, :3] = pre, post
        rule = make()
        links = getattr(rule, "links", [rule])
        if type(links[0]).__name__ == "ShiftSTDP" or (type(links[0]).__name__ == "Oja" and links[0].tau is None):
            pytest.skip("its window is one step, or its signals are rates")
        held = v.repeat_interleave(fine, 0)
        change, _ = rule.update(synapse, None, spikes[0], spikes[1][..., :3], modulators, v=held, dt=1 / fine)
        results.append(change)
    errors = [(result - results[-1]).norm() for result in results[:2]]
    assert errors[1] < 0.6 * errors[0] or errors[0] < 1e-9 * results[-1].norm()


def test_a_dozen_lines_make_a_rule():
    class Presynaptic(Rule):
        """What fires alone weakens; what fires before its target strengthens."""

        def initial_state(self, synapse, pre, post):
            return torch.zeros_like(pre)

        def terms(self, seen, state):
            x, state = trace(seen.pre, state, tau=10.0, dt=seen.dt)
            alone = Term(seen.pre, torch.ones_like(seen.post), sign=-1).times(0.1)
            return [Term(x, seen.post), alone], state

    synapse = Conv2d((1, 5, 5), (2, 3, 3), kernel_size=3)
    pre, post = torch.ones(3, 2, 1, 5, 5), torch.zeros(3, 2, 2, 3, 3)
    change, _ = Presynaptic().update(synapse, None, pre, post)
    torch.testing.assert_close(change, torch.full((2, 1, 3, 3), -0.1 * 3 * 9))


def test_terms_of_one_source_take_one_product(monkeypatch):
    calls = []
    layer = Dense(2, 2)
    own = layer.hebbian
    monkeypatch.setattr(layer, "hebbian", lambda pre, post: calls.append(1) or own(pre, post))
    pre, post = torch.rand(2, 3, 1, 2)
    seen = Activity(layer, layer.weight.detach(), pre, post, None, {}, 1.0, False)
    terms = [Term(pre, post), Term(pre, post + 1, -1, 0.5), Term(pre, post, 0, -2.0)]
    expected = own(pre, post) * (1 - 2) - 0.5 * own(pre, post + 1)
    torch.testing.assert_close(combine(terms, seen), expected)
    assert len(calls) == 1
    assert not combine([], seen).any()


def test_narrow_spikes_meet_a_wide_weight():
    pre, post, _, _ = sequence((4,), (3,))
    layer = nn.Linear(4, 3)
    wide, _ = STDP().update(layer, None, pre.float(), post.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow, state = STDP().update(layer, None, pre.bfloat16(), post.bfloat16())
    assert narrow.dtype == state.trace_pre.dtype == torch.float32
    torch.testing.assert_close(narrow, wide)


def test_what_a_rule_needs():
    layer, spikes = nn.Linear(2, 2), torch.ones(3, 1, 2)
    with pytest.raises(ValueError, match=r"`v`, the potential of the target \[mV\], of shape \(3, 1, 2\), got none"):
        Clopath().update(layer, None, spikes, spikes)
    with pytest.raises(ValueError, match=r"of the same sequence, got \(3, 1, 2\) and \(4, 1, 2\)"):
        STDP().update(layer, None, spikes, torch.ones(4, 1, 2))
    with pytest.raises(ValueError, match=r"`dt` to be positive \[ms\], got 0.0"):
        STDP().update(layer, None, spikes, spikes, dt=0.0)
    with pytest.raises(ValueError, match=r"modulator 'dopamine' of shape \(time, batch\) = \(3, 1\)"):
        RULES["RSTDP"]().update(layer, None, spikes, spikes, {"dopamine": torch.ones(4)})
    with pytest.raises(TypeError, match="define `terms"):
        Rule().update(layer, None, spikes, spikes)
    with pytest.raises(ValueError, match=r"`tau_plus` to be positive \[ms\], got 0"):
        STDP(tau_plus=0)
    with pytest.raises(TypeError, match=r"`tau_plus` to be a number \[ms\], got '20'"):
        STDP(tau_plus="20")
    with pytest.raises(ValueError, match=r"`a_plus` to be finite \[1\]"):
        STDP(a_plus=float("nan"))
    with pytest.raises(ValueError, match=r"`a_plus` to be finite \[1\]"):
        STDP(a_plus=torch.tensor([float("inf")]))
    with pytest.raises(TypeError, match=r"`a_plus` to be a number or a real tensor \[1\]"):
        STDP(a_plus=None)


def test_amounts_may_be_tensors():
    mask = torch.tensor([[True, False], [False, True]])
    layer, spikes = nn.Linear(2, 2), torch.ones(3, 1, 2)
    change, _ = STDP(a_plus=mask, a_minus=0.0).update(layer, None, spikes, spikes)
    plain, _ = STDP(a_plus=1.0, a_minus=0.0).update(layer, None, spikes, spikes)
    torch.testing.assert_close(change, plain * mask)
    from conex_nn.plasticity import TripletSTDP

    fit = {name: torch.tensor(0.1) for name in ("a2_plus", "a3_plus", "a2_minus", "a3_minus")}
    got, _ = TripletSTDP(**fit).update(layer, None, spikes, spikes)
    want, _ = TripletSTDP(**dict.fromkeys(fit, 0.1)).update(layer, None, spikes, spikes)
    torch.testing.assert_close(got, want)


def test_the_threshold_of_bcm_is_slow_state():
    rule, layer, spikes = BCM(tau_theta=5.0), nn.Linear(2, 2), torch.ones(3, 1, 2)
    rule.update(layer, None, spikes, spikes)
    first = rule.theta.clone()
    assert (first > 0).all()
    rule.eval().update(layer, None, spikes, spikes)
    assert torch.equal(rule.theta, first)
    again = BCM(tau_theta=5.0)
    again.load_state_dict(rule.state_dict())
    assert torch.equal(again.theta, first)
    with pytest.raises(ValueError, match="Give each synapse a rule of its own"):
        rule.update(nn.Linear(2, 3), None, spikes, torch.ones(3, 1, 3))


def test_terms_without_the_state_after_them():
    class Forgets(Rule):
        def terms(self, seen, state):
            return [Term(seen.pre, seen.post)]

    spikes = torch.ones(3, 1, 2)
    with pytest.raises(TypeError, match=r"`terms` of Forgets to return its terms and the state after them.*got a list"):
        Forgets().update(nn.Linear(2, 2), None, spikes, spikes)

"""A layer of excitatory and inhibitory cells with dendrites, against a trace computed by hand, in plain floats."""

import math
import random

import pytest
import torch
from torch.testing import assert_close

import conex_nn as cx

STEPS, EXC, INH = 50, 4, 3
TAU_E, TAU_I, R = 10.0, 5.0, 2.0
REST, THRESHOLD, RESET = -1.0, [1.0, 0.7, 1.2, 0.9], -1.5
P_DISTAL = P_APICAL = 0.8
TAU_SYN = 3.0  # of the distal compartment
K = 2
V_MAX, V_MIN, ETA = 0.9, -1.2, 0.02
RATE, WINDOW, UPDATING, DECAY = 2.0, 10, 0.05, 0.9


def weights(seed, rows, columns, high):
    rng = random.Random(seed)
    return [[high * rng.random() for _ in range(columns)] for _ in range(rows)]


FEED, EI, IE = weights(0, EXC, 5, 3.0), weights(1, INH, EXC, 4.0), weights(2, EXC, INH, 1.0)
EE, FEEDBACK = weights(3, EXC, EXC, 1.5), weights(4, EXC, 5, 1.0)


def product(rows, spikes):
    return [sum(w * s for w, s in zip(row, spikes, strict=True)) for row in rows]


def by_hand(inputs):
    """DESIGN.md, section 3, line by line; the homeostases are seeds.md 1.4. No tensor, nothing of the package."""
    v, u = [REST] * EXC, [0.0] * INH
    distal = [0.0] * EXC
    threshold, count, updating = list(THRESHOLD), [0.0] * EXC, UPDATING
    exhaustion = [0.0] * EXC
    spikes_e, spikes_i, sent = [[0.0] * EXC], [[0.0] * INH], [[0.0] * 5, *inputs]
    trace = {name: [] for name in ("e", "i", "v", "u", "distal", "threshold", "exhaustion")}
    for t in range(STEPS):
        x, back = sent[t], (sent[t - 1] if t else [0.0] * 5)  # latency 1, and 2 to the apical dendrite
        proximal = product(FEED, x)
        proximal = [a - b for a, b in zip(proximal, product(IE, spikes_i[t]), strict=True)]
        apical = product(FEEDBACK, back)
        arriving = product(EE, spikes_e[t])
        distal = [d * math.exp(-1 / TAU_SYN) + a for d, a in zip(distal, arriving, strict=True)]
        fired = [0.0] * EXC
        alpha = math.exp(-1 / TAU_E)
        for n in range(EXC):
            current = proximal[n]
            pull = 0.0
            for compartment, p in ((distal[n], P_DISTAL), (apical[n], P_APICAL)):
                dv = max(0.0, REST + p * (threshold[n] - REST) - v[n])
                pull += TAU_E / R * math.tanh(compartment) * dv
            # no step takes the cell beyond the target by pulls alone
            target = REST + max(P_DISTAL, P_APICAL) * (threshold[n] - REST)
            room = max(0.0, target - (REST + (v[n] - REST) * alpha)) / ((1 - alpha) * R)
            current += min(pull, room)
            v[n] = alpha * v[n] + (1 - alpha) * (REST + R * current)
        above = [n for n in range(EXC) if v[n] >= threshold[n]]
        winners = sorted(above, key=lambda n: v[n] - threshold[n], reverse=True)[:K]
        for n in above:
            if n not in winners:
                v[n] = RESET
        for n in range(EXC):
            outside = max(0.0, v[n] - V_MAX) - max(0.0, V_MIN - v[n])
            exhaustion[n] += ETA * outside
            v[n] -= exhaustion[n]
        for n in range(EXC):
            if v[n] >= threshold[n]:
                fired[n], v[n] = 1.0, RESET
            count[n] += 1.0 if fired[n] else -RATE / (WINDOW - RATE)
        if (t + 1) % WINDOW == 0:
            threshold = [th + c * updating for th, c in zip(threshold, count, strict=True)]
            count, updating = [0.0] * EXC, updating * DECAY
        spikes_e.append(fired)
        alpha, fired = math.exp(-1 / TAU_I), [0.0] * INH
        for n, current in enumerate(product(EI, spikes_e[t])):  # what EXC fired a step ago
            u[n] = alpha * u[n] + (1 - alpha) * current
            if u[n] >= 1.0:
                fired[n], u[n] = 1.0, 0.0
        spikes_i.append(fired)
        for name, value in zip(trace, (spikes_e[-1], fired, v, u, distal, threshold, exhaustion), strict=True):
            trace[name].append(list(value))
    return trace


def layer():
    homeostasis = cx.ActivityHomeostasis(
        activity_rate=RATE, window_size=WINDOW, updating_rate=UPDATING, decay_rate=DECAY
    )
    exc = cx.Population(
        EXC,
        cx.LIF(tau_mem=TAU_E, resistance=R, v_rest=REST, v_reset=RESET, v_threshold=torch.tensor(THRESHOLD)),
        dendrite=cx.Dendrite(tau_syn={"distal": TAU_SYN}),
        winners=cx.KWinners(K),
        voltage_homeostasis=cx.VoltageHomeostasis(v_max=V_MAX, v_min=V_MIN, rate=ETA),
        activity_homeostasis=homeostasis,
    )
    made = cx.CorticalLayer(exc=exc, inh=cx.Population(INH, cx.LIF(tau_mem=TAU_I), inhibitory=True))
    net = cx.Neocortex(x=cx.InputLayer(5), l4=made)
    net.connect("x", "l4.exc", cx.Dense, weight=torch.tensor(FEED))
    net.connect("x", "l4.exc", cx.Dense, weight=torch.tensor(FEEDBACK), compartment="apical", latency=2)
    made.connect("exc", "inh", cx.Dense, weight=torch.tensor(EI))
    made.connect("inh", "exc", cx.Dense, weight=torch.tensor(IE))
    made.connect("exc", "exc", cx.Dense, weight=torch.tensor(EE), compartment="distal")
    return net.double().train()


@pytest.fixture(scope="module")
def inputs():
    rng = random.Random(5)
    return [[float(rng.random() < 0.4) for _ in range(5)] for _ in range(STEPS)]


@pytest.mark.parametrize("grad", [True, False])
def test_trace_by_hand(inputs, grad):
    net, trace = layer(), by_hand(inputs)
    xs = torch.tensor(inputs).double().reshape(STEPS, 1, 5)
    state, found = None, {name: [] for name in trace}
    with torch.set_grad_enabled(grad):
        for t in range(STEPS):
            out, state = net(xs[t : t + 1], state)
            exc, inh = (state.populations[f"l4.{name}"] for name in ("exc", "inh"))
            population = net.l4.exc
            values = (
                out["l4.exc"], out["l4.inh"], exc.neuron.v, inh.neuron.v, exc.dendrite["distal"],
                population.neuron.v_threshold, population.voltage_homeostasis.exhaustion,
            )  # fmt: skip
            for name, value in zip(found, values, strict=True):
                found[name].append(value.detach().flatten())
        whole, _ = layer()(xs)
    for name, values in found.items():
        expected = torch.tensor(trace[name], dtype=torch.float64)
        assert_close(torch.stack(values), expected, rtol=1e-6, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")
    assert_close(whole["l4.exc"][:, 0].detach(), torch.stack(found["e"]))
    fired = torch.tensor(trace["e"])
    assert 0.05 < fired.mean() < 0.6
    assert torch.tensor(trace["i"]).mean() > 0.05
    assert fired.sum(1).max() == K
    assert len(set(map(tuple, trace["threshold"]))) == 6


def test_nothing_is_learned_in_eval_mode(inputs):
    net = layer().eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net(torch.tensor(inputs).double().reshape(STEPS, 1, 5))
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_layer_names_its_parts():
    made = cx.CorticalLayer(exc=cx.Population(2, cx.LIF()), tags="v1")
    assert made.tags == ("v1",)
    assert list(made.populations()) == ["exc"]
    with pytest.raises(TypeError, match="Expected `exc` to be a population or a container, got LIF"):
        cx.CorticalLayer(exc=cx.LIF())

# %% [markdown]
# # 6. Your own neuron, synapse and rule
#
# What comes with conex_nn has no privileges: a class of yours runs, learns, trains, records and saves as ours do. This
# notebook writes one of each kind, and with them a ring of cells that learns a movement and plays it back.

# %%
import math
import tempfile
from typing import NamedTuple

import torch
from torch import Tensor, nn

import conex_nn as cx
from conex_nn.plasticity import Clip, Rule, Term, chain, trace
from conex_nn.testing import check_module

_ = torch.manual_seed(0)

# %% [markdown]
# ## A neuron
#
# A neuron is a `State` and a `step`. This one resonates (Izhikevich 2001): between spikes its state turns in the plane,
# `period` ms a turn, and shrinks with `tau`; it fires where `v` reaches 1. Constants go through the exact solution, so
# that any `dt` is right. Sequences, batches, carried state, recording and truncated gradients are not its business.


# %%
@cx.register("notebook.Resonator")
class Resonator(cx.Neuron):
    class State(NamedTuple):
        v: Tensor
        w: Tensor

    def __init__(self, period=20.0, tau=20.0):
        super().__init__()
        self.period, self.tau = period, tau
        self.spike_fn = cx.surrogate.atan()

    def step(self, current, state, *, dt=1.0):
        turn, shrink = 2 * math.pi * dt / self.period, math.exp(-dt / self.tau)
        w = state.w + current
        v = shrink * (math.cos(turn) * state.v + math.sin(turn) * w)
        w = shrink * (math.cos(turn) * w - math.sin(turn) * state.v)
        spikes = self.spike_fn(v - 1.0)
        return spikes, self.State(torch.where(spikes > 0, 0.0, v), torch.where(spikes > 0, 0.0, w))


check_module(Resonator, 3 * torch.rand(20, 2, 4), skip={"pickle"})  # a class typed in a notebook has no module
print("lawful:", ", ".join(cx.testing.LAWS))

# %% [markdown]
# `check_module` holds it to the laws that ours keep: halves of a sequence are the whole, samples do not see each other,
# gradients reach the input, and so on. Does it do what it should? Pairs of inputs, 5 to 40 ms apart, one pair for each
# neuron:

# %%
gaps = torch.arange(8, 41)
pairs = torch.zeros(80, len(gaps))
pairs[5] = 1
pairs[5 + gaps, torch.arange(len(gaps))] = 1
resonator = Resonator()
with cx.recording.record(resonator, "", variables=("v", "spikes")) as weak:
    resonator(0.9 * pairs)
with cx.recording.record(resonator, "", variables=("v", "spikes")) as strong:
    resonator(0.98 * pairs)

left, right = cx.plots.side_by_side(2, size=(5.0, 3.4))
left.plot(gaps, weak["v"].amax(0), "o-", markersize=3)
left.set(xlabel="time between the two inputs [ms]", ylabel="largest v [1]")
cx.plots.traces(strong["v"], spikes=strong["spikes"], neurons=[2, 12], threshold=1.0, unit="1", ax=right)
right

# %% [markdown]
# Left: two weak inputs reach furthest when the second comes a whole turn, 20 ms, after the first; after half a turn it
# is of no use. Right: somewhat stronger ones, 10 ms (above) and 20 ms (below) apart; only the second neuron fires.
#
# ## A synapse
#
# A synapse is a map that is linear in its `weight`. This one is for cells on a ring: what is sent depends on how far
# two cells are apart, with the same few weights all around. No rule needs to know: what a rule is made of, the Hebbian
# product, follows from `forward`.


# %%
@cx.register("notebook.Ring")
class Ring(cx.Synapse):
    def __init__(self, source_shape, target_shape, *, reach=5):
        super().__init__(source_shape, target_shape)
        self.reach = reach
        self.weight = nn.Parameter(torch.zeros(2 * reach + 1))  # from -reach to +reach cells

    def forward(self, spikes):
        shifts = range(-self.reach, self.reach + 1)
        return sum(w * spikes.roll(shift, -1) for w, shift in zip(self.weight, shifts, strict=True))


# %% [markdown]
# ## A rule
#
# A rule returns terms, each a product of what either side of a synapse has seen. This one strengthens what fired in the
# last few milliseconds *before* the target did, and weakens a little what fired at the same time.


# %%
@cx.register("notebook.Before")
class Before(Rule):
    def __init__(self, rate=1.0, tau=4.0):
        super().__init__()
        self.rate, self.tau = rate, tau

    def initial_state(self, synapse, pre, post):
        return torch.zeros_like(pre)

    def terms(self, seen, state):
        recent, state = trace(seen.pre, state, tau=self.tau, dt=seen.dt)
        before = recent - seen.pre  # a trace includes the present spike
        return [Term(before, seen.post).times(self.rate), Term(seen.pre, seen.post).times(-self.rate)], state


# %% [markdown]
# ## All of it in a network
#
# Forty cells in a ring are driven one after the other, a cell every 2 ms, eight times around. The ring is connected to
# itself by our synapse, which learns by our rule, in a chain with one of the package.

# %%
cells = 40
net = cx.Neocortex(
    world=cx.InputLayer(cells),
    ring=cx.Population(cells, cx.LIF(tau_mem=5.0, refractory_time=15.0)),
)
net.connect("world", "ring", cx.OneToOne, init=nn.init.ones_, gain=10.0, gradient=False)
rule = chain(Before(rate=5e-3), Clip(0, 1))
ring = net.connect("ring", "ring", Ring, rule=rule, gain=4.5, latency=2, gradient=False)

steps = 8 * 2 * cells
moving = torch.zeros(steps, 1, cells)
moving[torch.arange(0, steps, 2), 0, torch.arange(steps // 2) % cells] = 1

cue = torch.zeros(120, 1, cells)
cue[:6] = moving[:6]  # the first three cells, and nothing after
net.eval()
before, _ = net(cue)
net.train()
net(moving)  # the weights change once, after the sequence: `when="sequence"`, the default
net.eval()
after, _ = net(cue)

left, middle, right = cx.plots.side_by_side(3, size=(3.8, 3.4))
left.bar(range(-5, 6), ring.only.weight.detach())
left.set(xlabel="target after source [cells]", ylabel="weight")
for ax, out, title in ((middle, before, "a cue, before learning"), (right, after, "the same cue, after it")):
    cx.plots.raster({"cells": out["ring"][:, 0]}, ax=ax)
    ax.set_title(title, fontsize=10)
right

# %% [markdown]
# Left: the weights are what the movement has made of them: only cells ahead of a source are excited, not those behind.
# Middle: at first three cells that are driven are three cells that fire. Right: afterwards the same cue runs on by
# itself, all around the ring.
#
# ## Kept like all else
#
# Because the classes were registered under a name, a network with them can be saved, and loaded wherever they are
# registered.

# %%
with tempfile.TemporaryDirectory() as folder:
    net.save(folder)
    again = cx.load(folder).eval()
print("the network that was loaded does the same:", torch.equal(again(cue)[0]["ring"], after["ring"]))

# %% [markdown]
# ## Try this
#
# - Let the movement go the other way, or twice as fast. What becomes of the weights?
# - Put `Resonator()` in place of `cx.LIF(...)` into the ring: at which speed does it play back?
# - Make `period` an `nn.Parameter`, and train a resonator to answer to a rhythm, as the first notebook trains a
#   resistance.
# - `cx.plasticity.measure_window(Before())` draws your rule as it draws ours.

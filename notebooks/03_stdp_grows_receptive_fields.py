# %% [markdown]
# # 3. STDP grows receptive fields
#
# Spike-timing-dependent plasticity changes a synapse by what its two neurons did, and when. This notebook measures such
# a rule, lets one neuron find out which of its inputs belong together, and lets competing neurons learn handwritten
# digits without ever being told what they are.

# %%
from functools import partial

import torch
from torch import nn

import conex_nn as cx
from conex_nn.plasticity import Clip, Normalise, chain, measure_window

_ = torch.manual_seed(0)

# %% [markdown]
# ## The rule
#
# A rule meets one spike on either side, at all distances. Further links of a chain bound weights, normalise them, wait
# for dopamine, and so on.

# %%
rule = chain(cx.STDP(a_plus=0.01, a_minus=0.011, tau_plus=20.0, tau_minus=20.0), Clip(0, 1))
cx.plots.stdp_window(*measure_window(rule))

# %% [markdown]
# A source that fires before its target is strengthened, one that fires after it is weakened, the more so the closer the
# two are. The area below 0 is the larger one, so that chance encounters weaken.
#
# ## One neuron, a hundred inputs
#
# All inputs fire at 20 Hz. Fifty of them share half of their spikes, fifty are independent; nothing tells the neuron
# which is which. The rule is one attribute of the connection, and learning is nothing but running in `train()` mode.

# %%
steps, rate = 40_000, 0.02  # 40 s in steps of 1 ms, spikes per step
common = torch.rand(steps, 1) < rate
spikes = torch.rand(steps, 100) < rate
spikes[:, :50] = torch.where(torch.rand(steps, 50) < 0.5, common, spikes[:, :50])
spikes = spikes.float().unsqueeze(1)  # (time, batch, inputs)

net = cx.Neocortex(inputs=cx.InputLayer(100), cell=cx.Population(1, cx.LIF(tau_mem=10.0)))
half = partial(nn.init.constant_, val=0.5)
synapse = net.connect(
    "inputs", "cell", cx.Dense, init=half, gain=1.6, rule=rule, when="step", gradient=False
).only.synapse

state, weights = None, []
for piece in spikes.split(250):
    out, state = net(piece, state)
    weights.append(synapse.weight.detach()[0].clone())
weights = torch.stack(weights)  # (pieces, inputs)

left, right = cx.plots.side_by_side(2, size=(5.0, 3.6))
seconds = 0.25 * torch.arange(len(weights))
left.plot(seconds, weights[:, :50], color=cx.plots.COLOURS[0], linewidth=0.5)
left.plot(seconds, weights[:, 50:], color=cx.plots.COLOURS[1], linewidth=0.5)
left.set(xlabel="time [s]", ylabel="weight")
cx.plots.weight_histogram({"share spikes": weights[-1, :50], "independent": weights[-1, 50:]}, bins=20, ax=right)
right

# %% [markdown]
# Left: every line is a synapse, blue where inputs share spikes. They drive the neuron together, so they come before its
# spikes, grow, and drive it all the more; the independent ones, in orange, lose. Right: where the weights have come to.
#
# ## A layer that competes
#
# After Diehl and Cook (2015): each cell excites a partner that inhibits all other cells, and at most one fires at a
# time. A cell that fires gets a higher threshold, so that all have their turn, and the weights onto a cell keep their
# sum. The images come with no labels.

# %%
cells, batch = 64, 16
data = cx.data.Digits(encoder=cx.encoders.Poisson(time=50, max_rate=128.0), batch_size=batch)
data.setup()

excitatory = cx.LIF(tau_mem=50.0, v_rest=-65.0, v_reset=-60.0, v_threshold=-52.0, resistance=50.0, refractory_time=5.0)
inhibitory = cx.LIF(tau_mem=10.0, v_rest=-60.0, v_reset=-45.0, v_threshold=-40.0, resistance=10.0, refractory_time=2.0)
# A weight changes by the mean over a batch, and so does a threshold: here both by as much as image by image.
threshold = cx.AdaptiveThreshold(increment=0.8 * batch, tau=4e5 / batch)
rule = chain(
    cx.STDP(a_plus=0.01 * batch, a_minus=1e-4 * batch, nearest=True), Clip(0, 1), Normalise(6.4, at="sequence")
)

net = cx.Neocortex(
    retina=cx.InputLayer(1, 8, 8),
    exc=cx.Population(cells, excitatory, winners=cx.KWinners(1), behaviors={"threshold": threshold}),
    inh=cx.Population(cells, inhibitory, inhibitory=True),
)
weak = partial(nn.init.uniform_, a=0.0, b=0.3)
fields = net.connect(
    "retina", "exc", cx.Dense, init=weak, gain=10.0, latency=0, rule=rule, when="step", gradient=False
).only.synapse
net.connect("exc", "inh", cx.OneToOne, init=partial(nn.init.constant_, val=22.5), gradient=False)
net.connect("inh", "exc", cx.Dense, init=partial(nn.init.constant_, val=120.0), self_connections=False, gradient=False)

before = fields.weight.detach().clone()
for _ in range(3):
    for images, _ in data.train_dataloader():
        net(data.encoder(images))  # (time, batch, 1, 8, 8)
after = fields.weight.detach().clone()

left, right = cx.plots.side_by_side(2, size=(5.2, 4.4))
cx.plots.weights(before, ax=left)
left.set_title("before", fontsize=10)
cx.plots.weights(after, ax=right)
right.set_title("after", fontsize=10)
right

# %% [markdown]
# Each small square holds the weights onto one cell, laid out as the 8 x 8 pixels from which they come. What was noise
# has become strokes and whole digits: cells wait for what they have seen often.
#
# ## What do cells stand for?
#
# Now that all is learned, and with everything frozen in `eval()`, each cell is given the class to which it answers most
# on the training images. New images are then read by the votes of the cells.

# %%
net.eval()
labels = cx.training.LabelAssignment(data.num_classes, proportional=True)


def answers(images):
    out, _ = net(data.encoder(images), outputs=["exc"])
    return out["exc"].sum(0)  # (batch, cells)


for images, digits in data.train_dataloader():
    labels.update(answers(images), digits)

confusion = torch.zeros(10, 10)
for images, digits in data.test_dataloader():
    said = labels.scores(answers(images)).argmax(1)
    confusion.index_put_((digits, said), torch.ones(len(digits)), accumulate=True)

order = labels.compute().argsort(stable=True)
left, right = cx.plots.side_by_side(2, size=(5.2, 4.4))
cx.plots.weights(after[order], ax=left)
left.set_title("sorted by what they stand for, 0 to 9", fontsize=10)
cx.plots.confusion(confusion, ax=right)
right

# %% [markdown]
# Left: the same fields, cells for 0 first. Right: most test images are read correctly, by a layer that learned without
# a label; what it mixes up looks alike, as 8 and 1 or 9 and 3 do at this size.
#
# ## Try this
#
# - Leave out `behaviors`: a few cells win everything, and the others never learn.
# - Put `cx.plasticity.Soft(0, 1)` in place of `Clip(0, 1)` in the first experiment. Do the weights still part?
# - Give the layer 100 cells and ten epochs; `python -m tasks.diehl_cook` does so, and for MNIST too.
# - Replace `cx.STDP` by `cx.TripletSTDP()`, and look at it with `measure_window`.

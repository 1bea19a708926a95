# %% [markdown]
# # 2. A cortical column, built and seen
#
# Populations make layers, layers a column, columns a network. This notebook builds a small visual column from parts,
# draws it, shows it bars of all orientations, measures its tuning curves, and takes its inhibition away.

# %%
import math
import tempfile

import torch
from torch import nn

import conex_nn as cx

_ = torch.manual_seed(0)

# %% [markdown]
# ## A layer
#
# A layer holds populations and what connects them. A population has a shape, here `(depth, height, width)`, and a kind
# of neuron. What an inhibitory one sends is negative by itself: weights are magnitudes. A port gives an inner
# population a name for the outside.


# %%
def layer(depth, side):
    made = cx.CorticalLayer(
        exc=cx.Population((depth, side, side), cx.LIF(tau_mem=10.0, refractory_time=2.0)),
        inh=cx.Population((1, side, side), cx.LIF(tau_mem=5.0, refractory_time=1.0), inhibitory=True),
    )
    nearby = {"kernel_size": 3, "padding": 1, "init": nn.init.ones_}
    made.connect("exc", "inh", cx.Conv2d, name="recruits", **nearby)
    made.connect("inh", "exc", cx.Conv2d, name="calms", **nearby)
    return made.port("input", "exc").port("output", "exc")


# %% [markdown]
# ## A column, and a retina in front of it
#
# Layer 4 gets one weight for each of eight orientations, Gabor filters, as if experience had made them; the next
# notebook lets fields of this kind grow. Layer 2/3 pools its neighbourhood, layer 5 sees all of it and reaches back to
# the *apical* dendrites of layer 4, which can bring a cell nearer to its threshold but not fire it. `latency` is in
# steps of `dt`.

# %%
column = cx.CorticalColumn(l4=layer(8, 14), l23=layer(8, 7), l5=layer(4, 4))
column.connect("l4.output", "l23.input", cx.AvgPool2d, gain=30.0, latency=2)
column.connect("l23.output", "l5.input", cx.Conv2d, kernel_size=4, init=nn.init.uniform_, gain=0.8, latency=3)
column.connect("l5.output", "l4.exc", cx.Dense, init=nn.init.uniform_, compartment="apical", gain=0.2, latency=5)

gabors = cx.encoders.filters.gabor_bank(7, orientations=8, wavelength=6.0, sigma=2.0, unit_sum=True).unsqueeze(1)
net = cx.Neocortex(retina=cx.InputLayer(1, 20, 20), v1=column, dt=1.0)
net.connect("retina", "v1.l4.input", cx.Conv2d, kernel_size=7, weight=gabors, gain=60.0)
net.requires_grad_(False)  # nothing is trained here, so nothing has to be kept for gradients
print(net)

# %%
left, right = cx.plots.side_by_side(2, size=(6.0, 5.0))
cx.plots.schematic(*cx.structure.sketch(net), ax=left)
cx.plots.weights(gabors, columns=4, ax=right)
right.set_title("what layer 4 looks for", fontsize=10)
right

# %% [markdown]
# Left: triangles excite, discs inhibit; the colour of an arrow is the compartment that it reaches. Right: the eight
# filters; red excites, blue inhibits.
#
# ## Bars
#
# Bars at eight angles become spikes at up to 200 Hz. The state goes from call to call: first one bar, then, with no
# break, the one at a right angle to it.

# %%
size = 20
y, x = torch.meshgrid(*[torch.arange(size) - (size - 1) / 2] * 2, indexing="ij")
angles = torch.arange(8) * math.pi / 8
across = x * angles.cos()[:, None, None] + y * angles.sin()[:, None, None]
bars = torch.exp(-(across**2) / 3).unsqueeze(1)  # (angles, 1, height, width)
encode = cx.encoders.Poisson(time=150, max_rate=200.0)

with net.record("v1.*", "spikes") as recording, net.record("v1.l4.exc", "v", "spikes", where=[105, 889]) as cells:
    out, state = net(encode(bars[0:1]))
    out, state = net(encode(bars[4:5]), state)

left, right = cx.plots.side_by_side(2, size=(6.0, 4.5))
cx.plots.raster(recording, max_neurons=60, ax=left)
cx.plots.rates({name: recording[f"v1.{name}.spikes"][:, 0] for name in ("l4.exc", "l23.exc", "l5.exc")}, ax=right)
for ax in (left, right):
    ax.axvline(150, color="0.4", linestyle=":")
right

# %% [markdown]
# Left: spikes by population; at the dotted line the bar turns, and other cells take over. Right: the rates of the
# excitatory populations. Layers 4 and 2/3 answer at once; layer 5 waits until much of layer 2/3 agrees.

# %%
ax = cx.plots.traces(cells, threshold=1.0)
ax.axvline(150, color="0.4", linestyle=":")
ax

# %% [markdown]
# Two cells of layer 4 with the same place in the image, one for each of the two bars: the first is driven to threshold
# (broken) until the bar turns, the second from then on. Input of the wrong orientation and inhibition push them below
# rest.
#
# ## Tuning, with and without inhibition
#
# All eight bars, ten times each, in one batch: `(time, batch, 1, 20, 20)`. Then the same once more with the inhibition
# of layer 4 switched off. Anything can be switched by its address, a pattern, a tag or a type.

# %%
shown = encode(bars.repeat(10, 1, 1, 1))
angle = torch.rad2deg(angles).repeat(10)


def tuned(name):
    out, _ = net(shown, outputs=[name])
    rates = cx.recording.rate(out[name])  # (batch, depth, height, width) [Hz]
    return cx.recording.tuning(rates, angle)


whole = tuned("v1.l4.exc")
print("switched off:", net.switch("v1.l4.connections.calms", on=False))
bare = tuned("v1.l4.exc")
net.switch("v1.l4.connections.calms", on=True)

axes = cx.plots.side_by_side(2, size=(5.0, 3.6))
for ax, found, title in zip(axes, (whole, bare), ("with inhibition", "without"), strict=True):
    for cell in range(0, 8, 2):
        line = ax.plot(found.stimuli, found.mean[:, cell, 7, 7], marker="o", markersize=4)[0]
        ax.axvline(math.degrees(angles[cell]), color=line.get_color(), linestyle=":", linewidth=1)
    ax.set(xlabel="angle of the bar [degree]", ylabel="rate [Hz]", title=title, ylim=(0, 220), xticks=range(0, 180, 45))
for name, found in (("with inhibition", whole), ("without", bare)):
    selectivity = cx.recording.circular_tuning(found.mean[:, :, 7, 7], found.stimuli, period=180.0).selectivity
    print(f"selectivity {name}: {selectivity.mean():.2f}")
axes[0]

# %% [markdown]
# Four cells in the middle of layer 4, each with its preferred angle dotted. With inhibition a cell answers to its own
# angle and little to the next; without, curves are higher and wider, and cells answer to bars that are none of theirs.
#
# ## Keep it
#
# A network is saved as a JSON file that can be read and edited, and its tensors. Loading runs no code from the file.

# %%
with tempfile.TemporaryDirectory() as folder:
    net.save(folder)
    again = cx.load(folder)
first, second = (each(shown[:50])[0]["v1.l5.exc"] for each in (net, again))
print("the network that was loaded does the same:", torch.equal(first, second))

# %% [markdown]
# ## Try this
#
# - `with net.profile() as profile: net(shown)`, then `print(profile)`: where do time and memory go?
# - Double the gain of the apical feedback from layer 5. Which cells of layer 4 fire more, and does their tuning change?
# - Put `winners=cx.KWinners(10)` into the excitatory population in place of the inhibition.
# - Add a second column with `column.replicate()`, one retina for both, and connect their layers 2/3 with `cx.Sparse`.

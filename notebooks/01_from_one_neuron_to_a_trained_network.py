# %% [markdown]
# # 1. From one neuron to a trained network
#
# A spiking neuron is a module with one `step`. This notebook drives one with a current, holds it against its equation,
# tunes it by gradient, and ends with a network of such neurons that reads handwritten digits.

# %%
import logging
import tempfile
import warnings
from functools import partial

import lightning as L
import torch
from torch import nn

import conex_nn as cx

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", module="lightning")  # its advice on loading data
_ = torch.manual_seed(0)

# %% [markdown]
# ## One neuron
#
# A leaky integrate-and-fire cell with the constants of a cortical pyramidal cell. Time is the first axis of everything,
# so a current is `(time, neurons)`. The step is no property of the neuron but an argument, `dt`; here it is 0.1 ms.

# %%
dt = 0.1  # ms
cell = cx.LIF.cortical()
print(cell)

current = torch.zeros(2000, 1)
current[200:] = 0.5  # nA, from 20 ms on
with cx.recording.record(cell, "", variables=("v", "spikes")) as recording:
    spikes, state = cell(current, dt=dt)

cx.plots.traces(recording, threshold=cell.v_threshold, dt=dt)

# %% [markdown]
# The potential charges towards `v_rest + R I = -65 + 40 * 0.5 = -45 mV`, crosses the threshold, the broken line at -50
# mV, fires (the marks at the top), and after 2 ms of silence starts again from -65 mV.
#
# Nothing is left behind in the module: the state of the run is the second thing that comes back. Given to the next
# call, the neuron goes on where it stopped.

# %%
print("at the end:", state)
more, state = cell(torch.zeros(1000, 1), state, dt=dt)
print(f"100 ms without current later: {more.sum():.0f} spikes, v = {state.v.item():.1f} mV")

# %% [markdown]
# ## Many neurons, and the equation
#
# Any axes may follow time, and there is no loop over them: fifty currents for one second are fifty columns. For a
# constant current the equation has a solution, and with it a rate:
#
# $$f = 1 \,/\, \left( t_\mathrm{ref} + \tau_m \ln \frac{R I}{R I - (v_\mathrm{threshold} - v_\mathrm{rest})} \right)$$

# %%
currents = torch.linspace(0.3, 1.0, 50)  # nA
spikes, _ = cell(currents.expand(10_000, 50), dt=dt)
measured = cx.recording.rate(spikes, dt=dt)  # Hz

drive = 40 * currents  # mV
expected = 1000 / (2 + 10 * torch.log(drive / (drive - 15).clamp(min=1e-9)))
expected[drive <= 15] = 0

left, right = cx.plots.side_by_side(2, size=(4.5, 3.2))
left.plot(currents, measured, "o", markersize=4, label="measured")
left.plot(currents, expected, label="equation")
left.set(xlabel="current [nA]", ylabel="rate [Hz]")
left.legend(frameon=False)
cx.plots.raster(spikes[:1000], dt=dt, ax=right)
right.set(ylabel="stronger current →", yticks=[])
right

# %% [markdown]
# Left: the rate is that of the equation, from the current on that suffices to reach threshold. Right: the first 100 ms
# of the same fifty neurons; the stronger the current, the sooner and the denser the spikes.

# %% [markdown]
# ## Tuned by gradient
#
# A spike has no slope. In the backward pass a smooth function stands in for it, the *surrogate*, so that gradients flow
# through any spiking network. A constant becomes trainable by being an `nn.Parameter`. Here one neuron looks for the
# resistance with which it fires at 60 Hz.

# %%
tuned = cx.LIF.cortical(resistance=nn.Parameter(torch.tensor(32.0)))
optimizer = torch.optim.Adam(tuned.parameters(), lr=0.01, betas=(0.5, 0.9))
history = []
for _ in range(80):
    spikes, _ = tuned(torch.full((2000, 1), 0.5), dt=dt)
    rate = spikes.mean() * 1000 / dt  # Hz
    loss = (rate - 60) ** 2 / 100
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append((rate.item(), tuned.resistance.item()))

rates, resistances = zip(*history, strict=True)
left, right = cx.plots.side_by_side(2, size=(4.5, 2.8))
left.plot(rates)
left.axhline(60, linestyle="--", color="0.4")
left.set(xlabel="step of the optimizer", ylabel="rate [Hz]")
right.plot(resistances)
right.set(xlabel="step of the optimizer", ylabel="resistance [MOhm]")
right

# %% [markdown]
# The rate climbs to the broken line and stays; it moves in steps because 200 ms hold a whole number of spikes. A time
# constant or a threshold is trained in the same way, one for all neurons or one for each.

# %% [markdown]
# ## A network
#
# Digits of 8 x 8 pixels, each shown for 20 steps of 1 ms as spikes whose rate is the brightness. Neurons and torch's
# own modules go into one `Sequential`; the last neurons, `LI`, do not spike, and their potential is read.

# %%
data = cx.data.Digits(encoder=cx.encoders.Poisson(time=20), batch_size=64)
net = cx.Sequential(
    nn.Flatten(),
    nn.Linear(64, 100),
    cx.LIF(tau_mem=2.0, resistance=2.0),
    nn.Linear(100, 10),
    cx.LI(tau_mem=2.0),
)
model = cx.training.SpikingClassifier(
    net,
    num_classes=data.num_classes,
    decode=cx.training.mean_membrane,
    optimizer=partial(torch.optim.Adam, lr=5e-3),
)

# %% [markdown]
# A `SpikingClassifier` is a `LightningModule` and trains under any `Trainer`. The report keeps what was logged, and at
# the end of a test writes a table and pictures into a folder.

# %%
folder = tempfile.mkdtemp()
report = cx.training.Report(folder, show=False)
trainer = L.Trainer(
    max_epochs=12,
    callbacks=[report],
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, data)
metrics = trainer.test(model, data, verbose=False)[0]
print(f"test accuracy: {100 * metrics['test/accuracy']:.1f} %")

left, right = cx.plots.side_by_side(2, size=(5.2, 4.2))
cx.plots.curves(report.history, "accuracy", ax=left)
cx.plots.confusion(model.confusion, ax=right)
right

# %% [markdown]
# Left: accuracy by epoch, on the images that are learned and on the validation part. Right: rows are true digits,
# columns what the network said of test images that it had never seen; what is off the diagonal went wrong.

# %% [markdown]
# ## Look inside
#
# Any module of the network can be recorded by its address, here the hidden layer and the readout, for one test image.

# %%
images, labels = next(iter(data.test_dataloader()))
spikes = data.encoder(images[:1])  # (time, batch, 1, 8, 8)
net.eval()
with torch.no_grad(), cx.recording.record(net, "2", variables=("spikes",)) as recording:
    membrane, _ = net(spikes)

left, right = cx.plots.side_by_side(2, size=(5.2, 3.6))
cx.plots.raster({"image": spikes[:, 0], "hidden": recording["spikes"][:, 0]}, ax=left)
right.plot(membrane[:, 0], color="0.75")
right.plot(membrane[:, 0, labels[0]], color=cx.plots.COLOURS[1], linewidth=2, label=f"{labels[0]}, the true digit")
right.set(xlabel="time [ms]", ylabel="potential of the readout [mV]")
right.legend(frameon=False)
right

# %% [markdown]
# Left: the spikes of the pixels, and above them those of the hundred hidden neurons they drive. Right: the ten readout
# neurons; within a few milliseconds the one of the true digit leaves the others behind.
#
# ## Try this
#
# - Double `time`, or halve it, in the encoder: what is a longer look worth?
# - Give the hidden neurons `tau_mem=nn.Parameter(torch.full((100,), 2.0))`, train, and draw what became of it with
#   `cx.plots.weight_histogram`.
# - Add `regularisers={"rate": cx.training.RateTarget(rate=50.0)}` to the classifier, and see how few spikes suffice.
# - Replace `cx.LIF` by `cx.Izhikevich`, or by a neuron of your own, as the sixth notebook makes one.

# %% [markdown]
# # 5. An E/I network decides
#
# Dots move on a screen, some to one side, most at random. Which way? After Song, Yang and Wang (2016), a network of
# rates learns to answer as a monkey does, under Dale's law: each neuron excites or inhibits, but never both. Then we
# look at how it decides.

# %%
import logging
import tempfile
import warnings
from functools import partial

import lightning as L
import torch

import conex_nn as cx
from conex_nn.rates import CTRNN, Dale, NonNegative, NoSelf, Sparsity, ei_signs, spectral_radius_

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", module="lightning")  # its advice on loading data
_ = torch.manual_seed(0)

# %% [markdown]
# ## The task
#
# Three inputs: keep fixation, evidence for left, evidence for right. Three outputs: fixate, left, right. The
# *coherence* is how much the evidence differs, positive for right; noise hides it. Trials are made as they are needed.

# %%
task = cx.data.PerceptualDecision(dt=20.0)
data = cx.data.CognitiveTrials(task, batch_size=64, batches=25, validation_batches=4, test_batches=24, seed=0)
print("inputs:", task.input_names, "- outputs:", task.class_names)
print("coherences:", [round(c, 2) for c in task.trials(200).info["coherence"].unique().tolist()])

# %% [markdown]
# ## The network
#
# 80 excitatory and 20 inhibitory neurons in continuous time. Constraints are part of the network and hold whatever an
# optimizer does: signs by Dale's law, no synapse of a neuron onto itself, a readout of excitatory neurons alone. At the
# start an inhibitory synapse is four times as strong as an excitatory one, so that the two balance.

# %%
signs = ei_signs(100, excitatory=0.8)
excitatory = signs > 0


@torch.no_grad()
def balanced_(weight):
    weight.copy_(torch.distributions.Gamma(4.0, 4.0).sample(weight.shape))
    weight[:, ~excitatory] *= 4


net = CTRNN(
    data.num_inputs,
    100,
    output_size=data.num_classes,
    tau=100.0,  # ms
    noise=0.02,
    recurrent_constraints=[Dale(signs), NoSelf()],
    readout_constraints=[NonNegative(), Sparsity(excitatory.expand(data.num_classes, 100))],
    recurrent_init=[balanced_, partial(spectral_radius_, radius=1.0)],
)

# %% [markdown]
# ## Training
#
# As for any Lightning module. It stops when 85 % of the decisions are right in the mean of three validations, the
# criterion of the paper: how well a network does at each coherence is then its own affair.

# %%
model = cx.training.SequenceTask(
    net,
    optimizer=partial(torch.optim.Adam, lr=1e-3),
    psychometric={"coherence": cx.training.PsychometricCurve()},
    dt=task.dt,
)
report = cx.training.SequenceReport(tempfile.mkdtemp(), show=False)
trainer = L.Trainer(
    max_epochs=40,
    callbacks=[cx.training.Criterion(above=0.85, over=3), report],
    gradient_clip_val=1.0,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, data)
accuracy = trainer.test(model, data, verbose=False)[0]["test/accuracy"]
broken = (net.recurrent.weight * signs < 0).sum()
print(f"{100 * accuracy:.1f} % of the test trials are right; {broken} weights break Dale's law")

# %%
found = model.curves["coherence"]
left, right = cx.plots.side_by_side(2, size=(4.8, 3.6))
cx.plots.curves(report.history, "accuracy", ax=left)
cx.plots.psychometric(
    found.evidence, found.share, count=found.count, bias=found.bias, slope=found.slope, xlabel="coherence", ax=right
)
right.set_ylabel("share of choices of right [1]")
right

# %% [markdown]
# Left: decisions learned, by epoch. Right: the psychometric curve. With strong evidence the network is nearly always
# right, with hardly any it guesses, as animals do; the line is the logistic function that fits best, and where it
# crosses one half says to which side the network leans.
#
# ## One trial

# %%
trials = task.trials(600, generator=torch.Generator().manual_seed(1))
net.eval()
with torch.no_grad():
    outputs, _ = net(trials.inputs, dt=task.dt)
    rates, _ = net.rates(trials.inputs, dt=task.dt)

hard = int(trials.info["coherence"].abs().argmin())
upper, lower = cx.plots.trial(
    trials.inputs[:, hard],
    outputs[:, hard],
    trials.targets[:, hard],
    dt=task.dt,
    input_names=task.input_names,
    output_names=task.class_names,
)
upper.set_title(f"coherence {trials.info['coherence'][hard]:.2f}", fontsize=10)
lower

# %% [markdown]
# Above: what the network sees of a hard trial; no eye tells the two lines of evidence apart. Below: what it holds
# likely. The band at the top is what it should do: fixate until the signal goes away, then choose. With so little
# evidence it stays unsure, and is often wrong.
#
# ## How it decides
#
# Neurons are sorted by the side that they prefer: how much more they fire for right than for left at the end of the
# stimulus.

# %%
end = int((trials.targets == 0).sum(0).min())  # first step of the decision
late = rates[end - 10 : end].mean(0)  # (trials, neurons)
to_right = trials.info["choice"] == 2
prefers = late[to_right].mean(0) - late[~to_right].mean(0)
groups = {}
for name, kind in (("exc", excitatory), ("inh", ~excitatory)):
    of = kind.nonzero().flatten()
    order = of[prefers[of].argsort()]
    groups |= {f"{name} left": order[prefers[order] < 0], f"{name} right": order[prefers[order] >= 0]}

left, right = cx.plots.side_by_side(2, size=(5.4, 4.2))
cx.plots.conditions(
    rates[:, :, groups["exc right"][-10:]].mean(2),
    trials.info["coherence"],
    dt=task.dt,
    label="coherence",
    ylabel="rate of ten cells for right",
    ax=left,
)
cx.plots.connectivity(net.recurrent.weight, groups, ax=right)
right

# %% [markdown]
# Left: the ten cells that like right best, in the mean of all trials of a coherence. They ramp up, the faster the
# stronger the evidence for right and the slower the stronger that for left: they add up what comes in, as cells of
# parietal cortex do. Right: who connects to whom, red excites, blue inhibits. Every column is of one colour: Dale's
# law.
#
# ## Try this
#
# - `cx.plots.eigenvalues(net.recurrent.weight)` before and after training: which modes hold evidence?
# - Take the inhibitory neurons out (`net.recurrent.weight` has their columns) and test again.
# - Let an area of its own make the decision: `CTRNN(areas=...)`, with few connections between the two.
# - `cx.data.ContextDecision` asks which of two kinds of evidence counts; `cx.bridge.to_spiking` makes the network
#   spike.

# %% [markdown]
# # 4. Hybrid training, with an ablation
#
# How a weight learns is an attribute of its connection: by a rule, by gradient, by both, or not at all. This notebook
# trains one network on digits in four ways that differ in nothing but one connection, and asks what each kind of
# learning is worth.

# %%
import logging
import warnings
from functools import partial

import lightning as L
import torch
from torch import nn

import conex_nn as cx
from conex_nn.plasticity import Clip, Normalise, chain

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", module="lightning")  # its advice on loading data

# %% [markdown]
# ## The network
#
# 64 pixels drive 64 cells, of which at most eight fire at a time; a cell that fires gets a higher threshold for a
# while. A readout of ten neurons that do not spike is always trained by gradient. Only the connection called `fields`
# varies.


# %%
def build(**fields):
    net = cx.Neocortex(
        retina=cx.InputLayer(1, 8, 8),
        hidden=cx.Population(
            64,
            cx.LIF(tau_mem=10.0),
            winners=cx.KWinners(8),
            behaviors={"threshold": cx.AdaptiveThreshold(increment=0.02, tau=1000.0)},
        ),
        decision=cx.OutputLayer(representation=cx.Population(10, cx.LI(tau_mem=10.0, resistance=10.0))),
    )
    weak = partial(nn.init.uniform_, a=0.0, b=0.2)
    net.connect("retina", "hidden", cx.Dense, name="fields", init=weak, gain=5.0, latency=0, **fields)
    net.connect("hidden", "decision", cx.Dense, name="readout", latency=0)
    return net


def stdp():
    learns = cx.STDP(a_plus=0.02, a_minus=4e-4, tau_plus=10.0, nearest=True)
    return chain(learns, Normalise(6.4, at="sequence"), Clip(0, 1))


# %% [markdown]
# ## Four ways to learn
#
# - *Frozen*: what chance has made stays.
# - *STDP*: the rule alone; no label reaches the fields.
# - *Gradient*: the label alone, backwards through the spikes by a surrogate.
# - *STDP, then gradient*: a `LearningSchedule` says what learns in which epochs. Half of them are for the rule; then
#   gradients take over where it has come to.
#
# All see the same images in four epochs, and start from the same weights.

# %%
epochs = 4
ways = {
    "frozen": {"gradient": False},
    "STDP": {"rule": stdp(), "gradient": False},
    "gradient": {"gradient": True},
    "STDP, then gradient": {"rule": stdp(), "gradient": True},
}
schedule = cx.training.LearningSchedule(
    {
        "connections.fields.*.rule": range(epochs // 2),
        "connections.fields.*.synapse.weight": range(epochs // 2, epochs),
    }
)


class Curve(L.Callback):
    """Keep the accuracy on the validation part after each epoch."""

    def __init__(self):
        self.accuracy = []

    def on_validation_epoch_end(self, trainer, pl_module):
        self.accuracy.append(float(trainer.callback_metrics["val/accuracy"]))


accuracy, curve, nets = {}, {}, {}
for name, fields in ways.items():
    torch.manual_seed(0)
    data = cx.data.Digits(encoder=cx.encoders.Poisson(time=15, max_rate=300.0), batch_size=32)
    nets[name] = build(**fields)
    model = cx.training.SpikingClassifier(
        nets[name],
        num_classes=data.num_classes,
        readout="decision",
        decode=cx.training.mean_membrane,
        optimizer=partial(torch.optim.AdamW, lr=5e-3),
    )
    curve[name] = Curve()
    trainer = L.Trainer(
        max_epochs=epochs,
        callbacks=[curve[name], schedule] if "then" in name else [curve[name]],
        accelerator="cpu",
        logger=False,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, data)
    accuracy[name] = trainer.test(model, data, verbose=False)[0]["test/accuracy"]
    print(f"{name:20} {100 * accuracy[name]:5.1f} % of the test images")

# %%
left, right = cx.plots.side_by_side(2, size=(5.0, 3.8))
for place, (name, each) in enumerate(curve.items()):
    left.plot(range(1, epochs + 1), each.accuracy, "os^D"[place], linestyle="-", markersize=4, label=name)
left.axvline(epochs / 2, color="0.6", linestyle=":")
left.set(xlabel="epoch", ylabel="accuracy on the validation part", ylim=(0, 1))
left.legend(frameon=False, fontsize=9)
right.barh(list(accuracy), list(accuracy.values()), color=cx.plots.COLOURS[:4])
right.set(xlabel="accuracy on the test part", xlim=(0, 1))
right.invert_yaxis()
right

# %% [markdown]
# Left: accuracy by epoch; at the dotted line gradients take over from STDP in the last of the four. Right: the test
# part. Fields that were never told a label are worth far more than random ones, since they are what images are made of.
# Gradients know what the images are *for*, and do better. From where STDP has come to they lead upwards, too, though in
# so few epochs not past those that began at once.
#
# ## What the fields have become

# %%
axes = cx.plots.side_by_side(4, size=(3.6, 3.2))
for ax, (name, net) in zip(axes, nets.items(), strict=True):
    cx.plots.weights(net.connections["fields"].only.synapse.weight[:25], ax=ax)
    ax.set_title(name, fontsize=10)
axes[0]

# %% [markdown]
# 25 of the cells each. Frozen: noise. STDP: strokes and digits, never negative. Gradient: contrasts, red for and blue
# against, that tell classes apart, though they look like nothing. Last: what STDP has drawn, sharpened by gradient; it
# can still be read, and the bounds of the rule hold for gradients too.
#
# ## Try this
#
# - One seed is an anecdote. Repeat the loop for three, and see which differences stay.
# - Let both learn at the same time: leave out the schedule, and make the rule weaker, `a_plus=1e-3`, without
#   `Normalise`.
# - `into="grad"` gives what the rule would do to the optimizer, beside the gradient of the loss.
# - `cx.data.Digits(test=1500, validation=150)` leaves 147 images to learn from. Who suffers most?

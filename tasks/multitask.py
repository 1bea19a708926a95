"""Train one rate network on several cognitive tasks, each with an input for its rule, and see which neurons do what.

After Yang et al., Task representations in neural networks trained to perform many cognitive tasks, Nature Neuroscience
22 (2019), 297-306: rule inputs, inputs and outputs that tasks share, trials of all tasks mixed, and the variance of
each neuron in each task. Different here: four of this package's tasks in place of twenty, choices in place of a ring of
directions, and all tasks in each batch.

The last epoch is tested, once.
"""

import json
import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger
from matplotlib.figure import Figure
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR

import conex_nn as cx
from tasks.command_line import parse


@dataclass(frozen=True, kw_only=True)
class Config:
    """Size of the network, and how it is trained."""

    epochs: int = 12
    """Epochs of training [1]."""
    batches: int = 50
    """Batches in an epoch [1]."""
    neurons: int = 128
    """Neurons [1]."""
    batch_size: int = 128
    """Trials of a batch [1]."""
    lr: float = 3e-3
    """Largest learning rate of the one-cycle schedule [1]."""
    dt: float = 20.0
    """Length of a step [ms]."""
    seed: int = 0
    """Seed of the trials, the weights and the noise [1]."""
    out: Path = Path("runs/multitask")
    """Folder for report.json, the pictures and the log."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batches", "neurons", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {getattr(self, name)}.")


def tasks(dt: float) -> dict[str, cx.data.CognitiveTask]:
    """Return the tasks by name.

    Args:
        dt: Length of a step [ms].
    """
    return {
        "dots": cx.data.PerceptualDecision(coherences=(0.04, 0.08, 0.16), dt=dt),
        "context": cx.data.ContextDecision(coherences=(0.04, 0.1, 0.25), dt=dt),
        "match": cx.data.DelayedMatch(dt=dt),
        "comparison": cx.data.IntervalComparison(dt=dt),
    }


@torch.no_grad()
def task_variance(net: cx.rates.CTRNN, mixed: cx.data.MultiTask, *, seed: int) -> Tensor:
    """Return the variance of each neuron over the trials of each task, averaged over time, ``(tasks, neurons)``.

    Args:
        net: The network.
        mixed: The tasks.
        seed: Seed of the trials [1].
    """
    trials = mixed.trials(1000, generator=torch.Generator().manual_seed(seed))
    rates, _ = net.eval().rates(trials.inputs, dt=mixed.dt)
    found = []
    for place in range(len(mixed.tasks)):
        of = trials.info["task"] == place
        asked = trials.mask[:, of] > 0
        weight = asked.unsqueeze(-1).to(rates.dtype)
        count = weight.sum(1).clamp(min=1)
        mean = (rates[:, of] * weight).sum(1) / count
        spread = ((rates[:, of] - mean.unsqueeze(1)).square() * weight).sum(1) / count
        found.append(spread[asked.any(1)].mean(0))
    return torch.stack(found)


def draw(out: Path, variance: Tensor, history: list[dict[str, Any]], names: list[str]) -> None:
    """Draw how tasks were learned, and which neurons vary in which.

    Args:
        out: Folder.
        variance: From :func:`task_variance`.
        history: What was logged in each epoch.
        names: The tasks.
    """
    if any(f"val/accuracy/{name}" in epoch for epoch in history for name in names):
        prefix = "val/accuracy/"
        renamed = [
            {f"{key[len(prefix) :]}/accuracy": value for key, value in epoch.items() if key.startswith(prefix)}
            | {"epoch": epoch["epoch"]}
            for epoch in history
        ]
        ax = cx.plots.curves(renamed, "accuracy")
        ax.axhline(0.9, color="0.6", linewidth=0.8, linestyle=":")
        ax.figure.savefig(out / "tasks.png", dpi=150)  # pyright: ignore
    active = variance[:, variance.sum(0) > 1e-3 * variance.sum(0).max()]
    share = active / active.amax(0)
    order = torch.argsort(share.argmax(0) * 10 + share.square().sum(0))
    figure = Figure(figsize=(8.0, 2.6), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(share[:, order].numpy(), aspect="auto", cmap="magma", vmin=0, vmax=1, interpolation="nearest")
    figure.colorbar(image, ax=ax, label="variance, share of the\nneuron's largest [1]")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel=f"{active.shape[1]} of {variance.shape[1]} neurons that vary, by the task in which they vary most")
    figure.savefig(out / "variance.png", dpi=150)


def main(config: Config) -> dict[str, Any]:
    """Train on all tasks, test once, and report."""
    cx.training.quiet()
    L.seed_everything(config.seed, verbose=False)
    mixed = cx.data.MultiTask(tasks(config.dt))
    names = list(mixed.tasks)
    data = cx.data.CognitiveTrials(
        mixed,
        batch_size=config.batch_size,
        batches=config.batches,
        validation_batches=4,
        test_batches=-(-2500 // config.batch_size),
        seed=config.seed,
    )
    net = cx.rates.CTRNN(
        data.num_inputs,
        config.neurons,
        output_size=data.num_classes,
        tau=100.0,
        noise=0.05 * math.sqrt(2 / 100.0),
        recurrent_init=[torch.nn.init.normal_, partial(cx.rates.spectral_radius_, radius=1.0)],
    )
    model = cx.training.SequenceTask(
        net,
        optimizer=partial(torch.optim.Adam, lr=config.lr),
        scheduler=partial(OneCycleLR, max_lr=config.lr),
        groups=("task", names),
        dt=mixed.dt,
    )
    report = cx.training.SequenceReport(config.out, config=asdict(config))
    trainer = L.Trainer(
        max_epochs=config.epochs,
        logger=CSVLogger(config.out, name="", version=""),
        callbacks=[report],
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=10,
        gradient_clip_val=1.0,
    )
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    draw(config.out, task_variance(net, mixed, seed=config.seed), report.history, names)
    return json.loads((config.out / "report.json").read_text())


if __name__ == "__main__":
    main(parse(Config))

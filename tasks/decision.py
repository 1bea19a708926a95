"""Train a rate network that obeys Dale's law to say which way dots move, and look at what it has become.

After Song, Yang and Wang, Training excitatory-inhibitory recurrent neural networks for cognitive tasks, PLOS
Computational Biology 12 (2016), e1004792: 100 neurons, four of five excitatory, read out from excitatory ones,
training until 85 % of decisions are right (in the mean of five validations). Different here: three outputs (one of them
for keeping fixation) under a cross-entropy in place of two under a squared error, Adam in place of plain gradient
descent, inputs that may inhibit, and the noise that limits decisions is in the inputs as well as in the network.

The epoch is chosen on validation trials; test trials are looked at once.
"""

import json
import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

import conex_nn as cx
from tasks.command_line import parse

SPREAD = 0.15
"""Of the noise in a neuron by itself, as a standard deviation [1]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Size of the network, and how it is trained."""

    epochs: int = 60
    """Epochs of training at most [1]."""
    batches: int = 25
    """Batches in an epoch [1]."""
    neurons: int = 100
    """Neurons [1]."""
    excitatory: float = 0.8
    """Share of excitatory neurons [1]."""
    criterion: float = 0.85
    """Share of right decisions, in the mean of five validations, at which training stops [1]."""
    batch_size: int = 64
    """Trials of a batch [1]."""
    lr: float = 1e-3
    """Learning rate of Adam [1]."""
    dt: float = 20.0
    """Length of a step [ms]."""
    seed: int = 0
    """Seed of the trials, the weights and the noise [1]."""
    out: Path = Path("runs/decision")
    """Folder for report.json, the pictures, the log and the checkpoint."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batches", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {getattr(self, name)}.")
        if not 0 < self.excitatory < 1 or not 0 < round(self.excitatory * self.neurons) < self.neurons:
            raise ValueError(
                f"Expected `excitatory` to leave neurons of both kinds among {self.neurons} [1], got {self.excitatory}."
            )


@torch.no_grad()
def gamma_(weight: Tensor, *, signs: Tensor) -> None:
    """Fill a weight with sizes as Song et al. draw them: few inhibitory neurons inhibit as much as many excite.

    Args:
        weight: Filled in place, ``(post, pre)``; its signs are for a constraint to set.
        signs: Sign of each source, ``(pre,)``.
    """
    weight.copy_(torch.distributions.Gamma(4.0, 4.0).sample(weight.shape))
    weight[:, signs < 0] *= (signs > 0).sum() / (signs < 0).sum()


def build(config: Config, *, inputs: int, outputs: int) -> cx.rates.CTRNN:
    """Build the network.

    Args:
        config: Its size.
        inputs: Number of inputs [1].
        outputs: Number of outputs [1].
    """
    rates, n = cx.rates, config.neurons
    signs = rates.ei_signs(n, excitatory=config.excitatory)
    tau = 100.0
    return rates.CTRNN(
        inputs,
        n,
        output_size=outputs,
        tau=tau,
        noise=SPREAD * math.sqrt(2 / tau),
        recurrent_constraints=[rates.Dale(signs), rates.NoSelf()],
        readout_constraints=[rates.NonNegative(), rates.Sparsity((signs > 0).expand(outputs, n))],
        recurrent_init=[
            partial(gamma_, signs=signs),
            partial(rates.spectral_radius_, radius=1.0),
        ],
    )


def violations(net: cx.rates.CTRNN, signs: Tensor) -> int:
    """Count the weights that break Dale's law, self-connections, and readouts of inhibitory neurons."""
    weight, readout = net.recurrent.weight.detach(), net.readout.weight.detach()  # pyright: ignore
    broken = (weight * signs < 0).sum() + (weight.diagonal() != 0).sum()
    return int(broken + (readout < 0).sum() + (readout[:, signs < 0] != 0).sum())


@torch.no_grad()
def selectivity(rates: Tensor, trials: cx.data.Trials) -> Tensor:
    """Return by how much each neuron prefers the right to the left, at the end of the stimulus, in standard deviations.

    Args:
        rates: ``(time, batch, neurons)``.
        trials: The trials, time first.
    """
    end = int((trials.targets == 0).sum(0).min())
    late = rates[end - 10 : end].mean(0)
    right = trials.info["choice"] == 2
    spread = (late[right].var(0) + late[~right].var(0)).div(2).sqrt()
    return (late[right].mean(0) - late[~right].mean(0)) / spread.clamp(min=1e-3)


def draw(out: Path, net: cx.rates.CTRNN, task: cx.data.PerceptualDecision, signs: Tensor, *, seed: int) -> None:
    """Draw activity by coherence, and the recurrent weights by sign and preference.

    Args:
        out: Folder.
        net: The trained network.
        task: The task.
        signs: Sign of each neuron.
        seed: Seed of the trials that are drawn [1].
    """
    trials = task.trials(1000, generator=torch.Generator().manual_seed(seed))
    net.eval()
    with torch.no_grad():
        rates, _ = net.rates(trials.inputs, dt=task.dt)
    prefers = selectivity(rates, trials)
    active = rates.mean((0, 1)) > 0.05 * rates.mean()
    excitatory = ((signs > 0) & active).nonzero().flatten()
    ranked = excitatory[prefers[excitatory].argsort()]
    few = max(1, min(10, len(ranked) // 4))
    end = task.dt * int(trials.targets.eq(0).sum(0).min())
    begin = task.dt * task.schedule.choices["fixation"][0]
    axes = cx.plots.side_by_side(2, size=(5.5, 4.0))
    for ax, chosen, side in zip(axes, (ranked[:few], ranked[-few:]), ("left", "right"), strict=True):
        cx.plots.conditions(
            rates[:, :, chosen].mean(2), trials.info["coherence"], dt=task.dt, label="coherence", ylabel="rate",
            periods={"stimulus": (begin, end), "decision": (end, task.steps * task.dt)}, ax=ax,
        )  # fmt: skip
        ax.set_title(f"{few} excitatory neurons that prefer {side}", fontsize=10, pad=16)
    axes[0].figure.savefig(out / "activity.png", dpi=150)  # pyright: ignore
    groups = {}
    for name, sign in {"exc": 1, "inh": -1}.items():
        of = (signs == sign).nonzero().flatten()
        order = prefers[of].argsort()
        left, right = (prefers[of[order]] < 0), (prefers[of[order]] >= 0)
        groups |= {f"{name} left": of[order][left], f"{name} right": of[order][right]}
    ax = cx.plots.connectivity(net.recurrent.weight, {name: of for name, of in groups.items() if len(of)})
    ax.set_title("recurrent weights, neurons by sign and preferred side", fontsize=10)
    ax.figure.savefig(out / "weights.png", dpi=150, bbox_inches="tight")  # pyright: ignore


def main(config: Config) -> dict[str, Any]:
    """Train until the criterion, test once, and report."""
    cx.training.quiet()
    L.seed_everything(config.seed, verbose=False)
    task = cx.data.PerceptualDecision(dt=config.dt)
    data = cx.data.CognitiveTrials(
        task,
        batch_size=config.batch_size,
        batches=config.batches,
        validation_batches=8,
        test_batches=-(-2000 // config.batch_size),
        seed=config.seed,
    )
    net = build(config, inputs=data.num_inputs, outputs=data.num_classes)
    model = cx.training.SequenceTask(
        net,
        optimizer=partial(torch.optim.Adam, lr=config.lr),
        psychometric={"coherence": cx.training.PsychometricCurve()},
        dt=task.dt,
    )
    config.out.mkdir(parents=True, exist_ok=True)
    best = ModelCheckpoint(config.out, "best", monitor="val/accuracy", mode="max", enable_version_counter=False)
    stop = cx.training.Criterion(above=config.criterion, over=5)
    trainer = L.Trainer(
        max_epochs=config.epochs,
        logger=CSVLogger(config.out, name="", version=""),
        callbacks=[best, stop, cx.training.SequenceReport(config.out, config=asdict(config))],
        enable_model_summary=False,
        log_every_n_steps=10,
        gradient_clip_val=1.0,
    )
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, ckpt_path=best.best_model_path, verbose=False)
    signs = cx.rates.ei_signs(config.neurons, excitatory=config.excitatory)
    written = config.out / "report.json"
    report = json.loads(written.read_text())
    report |= {"criterion_reached": stop.reached, "dale_violations": violations(net, signs)}
    written.write_text(json.dumps(report, indent=2) + "\n")
    draw(config.out, net, task, signs, seed=config.seed)
    return report


if __name__ == "__main__":
    main(parse(Config))

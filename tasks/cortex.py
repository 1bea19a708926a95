"""Train a cortical column on handwritten digits, end to end, by surrogate gradient.

Layers 4, 2/3 and 5, each of excitatory and inhibitory cells: what is seen drives layer 4, which drives 2/3 and that 5;
layers further on reach back to the apical and distal dendrites of those before; inhibition acts within a layer.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from rich.console import Console
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

import conex_nn as cx
from tasks.command_line import parse

GAIN = 4.0
"""Of excitatory connections: enough for spikes to reach layer 5 before anything is learned."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Size of the column, and how it is trained."""

    epochs: int = 10
    """Passes over the training part [1]."""
    time: int = 12
    """Steps for which an image is shown [1]."""
    excitatory: int = 200
    """Excitatory cells of a layer [1]."""
    inhibitory: int = 50
    """Inhibitory cells of a layer [1]."""
    batch_size: int = 64
    """Images of a batch [1]."""
    lr: float = 4e-3
    """Largest learning rate of the one-cycle schedule [1]."""
    data: str = "digits"
    """Data set: digits, mnist or fashion_mnist."""
    data_root: Path = Path("data")
    """Folder of the downloaded sets."""
    seed: int = 0
    """Seed of the split, the weights and everything random [1]."""
    profile: bool = False
    """Measure first where the time of a training step goes: profile.txt."""
    out: Path = Path("runs/cortex")
    """Folder for report.json, the pictures, the network, the log and the checkpoints."""

    def __post_init__(self) -> None:
        for name in ("epochs", "time", "excitatory", "inhibitory", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {getattr(self, name)}.")


def layer(config: Config) -> cx.CorticalLayer:
    """Return a layer whose cells excite and inhibit each other."""

    def cells(tau_mem: float) -> cx.LIF:
        return cx.LIF(tau_mem=tau_mem, resistance=tau_mem, spike_fn=cx.surrogate.atan(alpha=2.0))

    made = cx.CorticalLayer(
        exc=cx.Population(config.excitatory, cells(4.0)),
        inh=cx.Population(config.inhibitory, cells(2.0), inhibitory=True),
    )
    weak = partial(nn.init.uniform_, a=0.0, b=0.5 / config.inhibitory)
    made.connect("exc", "inh", cx.Dense, gain=GAIN)
    made.connect("inh", "exc", cx.Dense, init=weak)
    made.connect("inh", "inh", cx.Dense, init=weak, self_connections=False)
    return made.port("input", "exc", "inh").port("output", "exc")


def build(config: Config, shape: tuple[int, ...], classes: int) -> cx.Neocortex:
    """Build the network.

    Args:
        config: Its sizes.
        shape: Shape of an image, ``(channels, height, width)``.
        classes: Number of classes [1].
    """
    column = cx.CorticalColumn(l4=layer(config), l23=layer(config), l5=layer(config))
    column.connect("l4.output", "l23.input", cx.Dense, gain=GAIN)
    column.connect("l23.output", "l5.input", cx.Dense, gain=GAIN)
    column.connect("l23.output", "l4.exc", cx.Dense, compartment="apical", gain=GAIN)
    column.connect("l5.output", "l23.exc", cx.Dense, compartment="distal", gain=GAIN)
    column.connect("l5.output", "l4.exc", cx.Dense, compartment="apical", gain=GAIN)
    column.port("input", "l4.input").port("output", "l23.output", "l5.output")
    net = cx.Neocortex(
        retina=cx.InputLayer(*shape),
        v1=column,
        decision=cx.OutputLayer(representation=cx.Population(classes, cx.LI(tau_mem=4.0, resistance=4.0))),
    )
    net.connect("retina", "v1.input", cx.Dense, latency=0, gain=GAIN)
    net.connect("v1.output", "decision", cx.Dense, latency=0)
    return net


def one_cycle(lr: float) -> Callable[..., OneCycleLR]:
    """Return a schedule that rises to ``lr`` and falls to nothing."""

    def make(optimizer: torch.optim.Optimizer, total_steps: int | None = None) -> OneCycleLR:
        return OneCycleLR(optimizer, lr, total_steps=max(total_steps or 0, 10), pct_start=0.2)

    return make


def costs(net: cx.Neocortex, data: L.LightningDataModule, *, time: int) -> cx.structure.Profile:
    """Measure what the parts of the network cost in a training step, the second one: the first one compiles.

    Args:
        net: The network.
        data: Where a batch is from.
        time: Steps for which an image is shown [1].
    """
    data.prepare_data()
    data.setup("fit")
    images, labels = next(iter(data.train_dataloader()))
    xs = images.float().expand(time, *images.shape)

    def step() -> None:
        out, _ = net(xs, outputs=["decision"])
        nn.functional.cross_entropy(out["decision"].mean(0), labels).backward()
        net.zero_grad()

    step()
    with net.profile() as found:
        step()
    return found


def main(config: Config) -> dict[str, float]:
    """Build, show, train, choose the epoch on the validation part, test once, and report."""
    cx.training.quiet()
    L.seed_everything(config.seed, verbose=False)
    data = cx.data.by_name(
        config.data,
        root=config.data_root,
        encoder=cx.encoders.ConstantCurrent(time=config.time),
        batch_size=config.batch_size,
        seed=config.seed,
    )
    net = build(config, data.feature_shape, data.num_classes)
    Console(highlight=False).print(str(net), markup=False, soft_wrap=True)
    config.out.mkdir(parents=True, exist_ok=True)
    cx.plots.network(*cx.structure.sketch(net)).figure.savefig(config.out / "network.png", dpi=150)
    if config.profile:
        found = costs(net, data, time=config.time)
        names = ", ".join(cost.name for cost in found.largest(0.95))
        (config.out / "profile.txt").write_text(f"{found}\n\n95 % of the time goes in: {names}\n")
        Console(highlight=False).print((config.out / "profile.txt").read_text(), markup=False, soft_wrap=True)
    model = cx.training.SpikingClassifier(
        net,
        num_classes=data.num_classes,
        readout="decision",
        decode=cx.training.mean_membrane,
        optimizer=partial(torch.optim.AdamW, lr=config.lr, weight_decay=1e-3),
        scheduler=one_cycle(config.lr),
    )
    best = ModelCheckpoint(config.out, "best", monitor="val/accuracy", mode="max", enable_version_counter=False)
    report = cx.training.Report(config.out, config=asdict(config))
    trainer = L.Trainer(
        max_epochs=config.epochs,
        logger=CSVLogger(config.out, name="", version=""),
        callbacks=[best, report],
        enable_model_summary=False,
        log_every_n_steps=10,
        gradient_clip_val=1.0,
    )
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, ckpt_path=best.best_model_path, verbose=False)
    net.save(config.out / "network")
    return {key: float(value) for key, value in trainer.callback_metrics.items()}


if __name__ == "__main__":
    main(parse(Config))

"""Build scenes and a network with two paths, train, choose, test once, and report."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.optim.lr_scheduler import OneCycleLR

import conex_nn as cx
from tasks.attention.pictures import draw

GAIN = 2.0
"""Of connections between cells that fire: enough for spikes to reach the last of them before anything is learned."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The scenes, the network, and how it is trained."""

    epochs: int = 10
    """Passes over the training part [1]."""
    rows: int = 3
    """Rows of a scene's grid [1]."""
    columns: int = 3
    """Columns of a scene's grid [1]."""
    hide: Literal["nothing", "block", "quarter"] = "block"
    """What of each digit is hidden: nothing, one of 16 blocks, or one of 4."""
    look_time: int = 4
    """Steps that a look lasts [1]."""
    silence: int = 1
    """Steps between looks, as the eye moves [1]."""
    cells: int = 300
    """Cells of each of the areas [1]."""
    batch_size: int = 32
    """Scenes of a batch [1]."""
    lr: float = 3e-3
    """Largest learning rate of the one-cycle schedule [1]."""
    data: str = "digits"
    """Data set: digits, mnist or fashion_mnist."""
    data_root: Path = Path("data")
    """Folder of the downloaded sets."""
    seed: int = 0
    """Seed of the split, the scenes, the weights and everything random [1]."""
    out: Path = Path("runs/attention")
    """Folder for report.json, the pictures, the log and the checkpoints."""

    def __post_init__(self) -> None:
        for name in ("epochs", "rows", "columns", "look_time", "cells", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {getattr(self, name)}.")


def scenes(config: Config) -> cx.data.WhatWhere:
    """Return the data: digits in scenes, seen look after look."""
    images = cx.data.by_name(config.data, root=config.data_root, batch_size=config.batch_size, seed=config.seed)
    blocks = 4 if min(images.feature_shape[1:]) % 4 == 0 else 2
    in_turn = cx.encoders.InTurn(cx.encoders.ConstantCurrent(time=config.look_time), silence=config.silence)
    parts = {"nothing": 0, "block": blocks, "quarter": 2}[config.hide]
    hide = cx.encoders.GridErase(parts, parts, looks=1, shuffle=True) if parts else None
    return cx.data.WhatWhere(
        images,
        rows=config.rows,
        columns=config.columns,
        hide=hide,
        clutter=cx.encoders.Scramble(blocks, blocks),
        encoder=in_turn,
        location_encoder=in_turn,
        seed=config.seed,
    )


def area(cells: int) -> cx.Population:
    """Return a population of quick cells."""
    return cx.Population(cells, cx.LIF(tau_mem=2.0, resistance=2.0, spike_fn=cx.surrogate.atan(alpha=2.0)))


def build(config: Config, shape: tuple[int, ...], classes: int) -> cx.Neocortex:
    """Build the network.

    Args:
        config: Its sizes.
        shape: Shape of what is seen in a look, ``(channels, height, width)``.
        classes: Number of classes [1].
    """
    grid = (config.rows, config.columns)

    def evidence(n: int) -> cx.OutputLayer:
        return cx.OutputLayer(representation=cx.Population(n, cx.LI(tau_mem=4.0, resistance=4.0)))

    net = cx.Neocortex(
        retina=cx.InputLayer(*shape, location=grid),
        v1=area(config.cells),
        ventral=area(config.cells),
        dorsal=area(config.cells),
        what=evidence(classes),
        where=evidence(config.rows * config.columns),
    )
    net.connect("retina.sensory", "v1", cx.Dense, latency=0, gain=GAIN)
    net.connect("v1", "ventral", cx.Dense, latency=0, gain=GAIN)
    net.connect("v1", "dorsal", cx.Dense, latency=0, gain=GAIN)
    net.connect("retina.location", "dorsal", cx.Dense, latency=0, gain=GAIN)
    net.connect("dorsal", "ventral", cx.Dense, compartment="apical")
    net.connect("ventral", "what", cx.Dense, latency=0)
    net.connect("dorsal", "where", cx.Dense, latency=0)
    return net


def one_cycle(lr: float) -> Callable[..., OneCycleLR]:
    """Return a schedule that rises to ``lr`` and falls to nothing."""

    def make(optimizer: torch.optim.Optimizer, total_steps: int | None = None) -> OneCycleLR:
        return OneCycleLR(optimizer, lr, total_steps=max(total_steps or 0, 10), pct_start=0.2)

    return make


def classifier(config: Config, data: cx.data.WhatWhere) -> cx.training.SpikingClassifier:
    """Return the network with its two heads, and what trains it."""
    mean = cx.training.mean_membrane
    return cx.training.SpikingClassifier(
        build(config, data.data.feature_shape, data.num_classes),
        num_classes=data.num_classes,
        readout="what",
        decode=mean,
        heads={"where": cx.training.Head(num_classes=data.num_cells, readout="where", decode=mean)},
        optimizer=partial(torch.optim.AdamW, lr=config.lr, weight_decay=1e-2),
        scheduler=one_cycle(config.lr),
    )


def main(config: Config) -> dict[str, float]:
    """Build, train, choose the epoch on the validation part, test once, and report."""
    cx.training.quiet()
    L.seed_everything(config.seed, verbose=False)
    data = scenes(config)
    model = classifier(config, data)
    best = ModelCheckpoint(config.out, "best", monitor="val/loss", mode="min", enable_version_counter=False)
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
    draw(config.out, model, data)
    return {key: float(value) for key, value in trainer.callback_metrics.items()}

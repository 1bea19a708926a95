"""Train on recordings, choose the epoch on the validation part, test once, and report."""

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

import conex_nn as cx
from tasks.events.moving_digits import moving_digits
from tasks.events.pictures import draw_cloud, draw_decisions, draw_recordings

__all__ = ["Config", "main"]

SENSOR = (34, 34)
STAND_IN = (400, 100)
"""Recordings to learn from and to test with, where there is no data [1]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to train, on what, and for how long."""

    data_root: Path = Path("data")
    """A folder with nmnist.npz or nmnist_small.npz, or such a file; without one, recordings are simulated."""
    epochs: int = 25
    """Passes over the training part [1]."""
    time: int = 16
    """Frames of a recording [1]."""
    window: float = 20.0
    """Duration of a frame, the step of the network; 16 of 20 ms are as long as a recording [ms]."""
    channels: int = 16
    """Maps of the first convolution; the second has twice as many [1]."""
    hidden: int = 128
    """Neurons of the hidden layer [1]."""
    dropout: float = 0.3
    """Part of the units that are silent throughout a training sequence [1]."""
    shift: int = 2
    """Largest shift of a training recording, to either side [pixels]."""
    batch_size: int = 32
    """Recordings of a batch [1]."""
    lr: float = 3e-3
    """Largest learning rate of the one-cycle schedule [1]."""
    validation: int = 150
    """Training recordings on which the epoch is chosen [1]."""
    seed: int = 0
    """Seed of the split, the weights and everything random [1]."""
    out: Path = Path("runs/events")
    """Folder for report.json, the pictures, the log and the checkpoints."""

    def __post_init__(self) -> None:
        for name in ("epochs", "time", "channels", "hidden", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {getattr(self, name)}.")


def load(config: Config) -> tuple[Any, str]:
    """Return the data module, and what it holds, in words.

    Args:
        config: Where to look, and how to frame.
    """
    events = cx.encoders.events
    options = {
        "encoder": events.FramesByTime(SENSOR, window=config.window, time=config.time),
        "augment": partial(events.shift_pixels, most=config.shift, sensor_size=SENSOR) if config.shift else None,
        "batch_size": config.batch_size,
        "validation": config.validation,
        "seed": config.seed,
    }
    places = [config.data_root, *(config.data_root / name for name in ("nmnist.npz", "nmnist_small.npz"))]
    for place in places:
        if place.suffix == ".npz" and place.is_file():
            return cx.data.NMNIST(root=place, **options), f"N-MNIST, {place.name}"
    train, test = moving_digits(*STAND_IN, generator=torch.Generator().manual_seed(config.seed))
    data = cx.data.RecordingsDataModule(train, test=test, **options)
    return data, "simulated: scikit-learn's digits before a camera that moves; no recordings were found"


def build(config: Config) -> cx.Sequential:
    """Build the network.

    Args:
        config: Its sizes.
    """
    c, h = config.channels, config.hidden
    tau = 2 * config.window  # short-lived memory: two frames
    lif = partial(cx.LIF, tau_mem=tau, resistance=2.0, spike_fn=cx.surrogate.atan(alpha=2.0))
    drop = partial(cx.SequenceDropout, config.dropout)
    conv = partial(nn.Conv2d, bias=False)
    layers = {
        "conv1": conv(2, c, 5, stride=2, padding=2), "norm1": nn.BatchNorm2d(c), "layer1": lif(),
        "conv2": conv(c, 2 * c, 3, stride=2, padding=1), "norm2": nn.BatchNorm2d(2 * c), "layer2": lif(),
        "flatten": nn.Flatten(), "drop2": drop(), "weights3": nn.Linear(2 * c * 9 * 9, h), "layer3": lif(),
        "drop3": drop(), "readout": nn.Linear(h, 10), "membrane": cx.LI(tau_mem=tau),
    }  # fmt: skip
    return cx.Sequential(OrderedDict(layers))


def one_cycle(lr: float) -> Callable[..., OneCycleLR]:
    """Return a schedule that rises to ``lr`` and falls to nothing."""

    def make(optimizer: torch.optim.Optimizer, total_steps: int | None = None) -> OneCycleLR:
        return OneCycleLR(optimizer, lr, total_steps=max(total_steps or 0, 10), pct_start=0.2)  # 5 would divide by zero

    return make


@torch.no_grad()
def draw(config: Config, model: cx.training.SpikingClassifier, data: Any) -> None:
    """Draw recordings, and decisions on them."""
    test = data.test_dataloader().dataset
    draw_recordings(config.out / "recordings.png", test)
    draw_cloud(config.out / "cloud.png", test)
    events, labels = test.__getitems__(range(len(test)))
    frames: Tensor = data.encoder(events)
    outputs = model.eval().outputs(frames.movedim(0, 1))
    scores = cx.training.running_scores(outputs, decode=model.decode)
    right = scores[-1].argmax(-1) == labels
    chosen = [*right.nonzero()[:2, 0].tolist(), *(~right).nonzero()[:2, 0].tolist()]
    draw_decisions(config.out / "decisions.png", frames, scores, labels, duration=config.window, chosen=chosen)


def main(config: Config) -> dict[str, float]:
    """Train, choose the epoch on the validation part, test once, and report."""
    cx.training.quiet()
    L.seed_everything(config.seed, verbose=False)
    data, source = load(config)
    model = cx.training.SpikingClassifier(
        build(config),
        num_classes=data.num_classes,
        decode=cx.training.mean_membrane,
        optimizer=partial(torch.optim.AdamW, lr=config.lr, weight_decay=1e-2),
        scheduler=one_cycle(config.lr),
        dt=config.window,
    )
    best = ModelCheckpoint(
        dirpath=config.out, filename="best", monitor="val/accuracy", mode="max", enable_version_counter=False
    )
    report = cx.training.Report(config.out, config=asdict(config))
    trainer = L.Trainer(
        max_epochs=config.epochs,
        logger=CSVLogger(config.out, name="", version=""),
        callbacks=[best, report],
        enable_model_summary=False,
        log_every_n_steps=10,
    )
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, ckpt_path=best.best_model_path, verbose=False)
    found = {key: float(value) for key, value in trainer.callback_metrics.items()}
    written = json.loads((config.out / "report.json").read_text())
    written |= {"data": source, "validation_accuracy": float(best.best_model_score or 0.0)}
    (config.out / "report.json").write_text(json.dumps(written, indent=2) + "\n")
    draw(config, model, data)
    return found

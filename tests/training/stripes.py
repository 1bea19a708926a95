"""A small problem, a small network and a quiet Trainer for the tests of training."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

import conex_nn as cx
from conex_nn.data import TensorDataModule
from conex_nn.encoders import Poisson
from conex_nn.training import SpikingClassifier, mean_membrane

CLASSES = 3
FEATURES = 6


def images(samples: int) -> tuple[Tensor, Tensor]:
    """Two of six pixels are bright, which two is the class."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(samples) % CLASSES
    bright = nn.functional.one_hot(labels, CLASSES).repeat_interleave(2, 1)
    return 0.1 + 0.6 * bright + 0.3 * torch.rand(samples, FEATURES, generator=generator), labels


class Stripes(TensorDataModule):
    """The problem: 24 samples to train on, 12 to validate, 12 to test, as Poisson spikes made on the device."""

    def __init__(self, batch_size: int = 8, time: int = 8, num_workers: int = 0) -> None:
        x, labels = images(48)
        super().__init__(
            x, labels, test=12, validation=12, batch_size=batch_size, encoder=Poisson(time), num_workers=num_workers,
            class_names=["left", "middle", "right"],
        )  # fmt: skip


class SmallNet(cx.Sequential):
    """A network that a YAML file can name."""

    def __init__(self, hidden: int = 12, classes: int = CLASSES, dropout: float = 0.2) -> None:
        super().__init__(
            nn.Linear(FEATURES, hidden),
            cx.LIF(tau_mem=5.0, resistance=5.0),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
            cx.LI(),
        )


class DigitsNet(cx.Sequential):
    """Another, for scikit-learn's digits."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(64, 8), cx.LIF(tau_mem=5.0), nn.Linear(8, 10), cx.LI())


def classifier(net: nn.Module | None = None, **options: Any) -> SpikingClassifier:
    options = {"decode": mean_membrane, "optimizer": partial(torch.optim.Adam, lr=0.02), **options}
    return SpikingClassifier(net or SmallNet(), **{"num_classes": CLASSES, **options})


def trainer(folder: Path, **options: Any) -> L.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    defaults = {"enable_checkpointing": False, "accelerator": "cpu", "devices": 1, "default_root_dir": folder}
    return L.Trainer(**{**quiet, **defaults, **options})

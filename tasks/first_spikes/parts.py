"""Images and labels of a run, whole in memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

import conex_nn as cx

__all__ = ["Parts", "Source", "load"]


class Source(Protocol):
    """What a configuration has to say of the data."""

    @property
    def data(self) -> str:
        """Name of the data set."""
        ...

    @property
    def data_root(self) -> Path:
        """Folder of the downloaded sets."""
        ...

    @property
    def seed(self) -> int:
        """Seed of the split [1]."""
        ...


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Images and labels, each part for its own use."""

    train: tuple[Tensor, Tensor]
    """Learned from, in random order."""
    validation: tuple[Tensor, Tensor]
    """By which the readout is chosen."""
    test: tuple[Tensor, Tensor]
    """Looked at once."""
    class_names: tuple[str, ...]
    """Name of each class."""

    @property
    def classes(self) -> int:
        """Number of classes [1]."""
        return len(self.class_names)


def load(config: Source) -> Parts:
    """Return the data that a configuration names."""
    data = cx.data.by_name(config.data, root=config.data_root, batch_size=10_000, seed=config.seed)
    data.prepare_data()
    data.setup()

    def part(loader: DataLoader[Any]) -> tuple[Tensor, Tensor]:
        images, labels = zip(*(data.on_after_batch_transfer(batch, 0) for batch in loader), strict=True)
        return torch.cat(images), torch.cat(labels)

    return Parts(
        train=part(data.train_dataloader()),
        validation=part(data.val_dataloader()),
        test=part(data.test_dataloader()),
        class_names=data.class_names,
    )

"""Data sets by name, for command lines."""

import difflib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import Tensor

from conex_nn.data.digits import Digits
from conex_nn.data.fashion_mnist import FashionMNIST
from conex_nn.data.image_data_module import ImageDataModule
from conex_nn.data.in_memory_data_module import EncodeOn
from conex_nn.data.mnist import MNIST

_EMBEDDED = {"digits": Digits}
_DOWNLOADED = {"fashion_mnist": FashionMNIST, "mnist": MNIST}


def by_name(
    name: str,
    *,
    root: str | Path = "data",
    encoder: Callable[[Tensor], Tensor] | None = None,
    encode_on: EncodeOn = "device",
    batch_size: int = 128,
    augment: Callable[[Tensor], Tensor] | None = None,
    validation: int | float | None = None,
    num_workers: int = 0,
    seed: int = 0,
) -> ImageDataModule:
    """Make a data module from its name.

    In Python the class itself reads better; this is for names that come from a command line or a file. Case,
    underscores and hyphens do not matter.

    Args:
        name: ``"digits"``, ``"fashion_mnist"`` or ``"mnist"``.
        root: Folder with the data; ``"digits"`` needs none.
        encoder: Maps intensities ``(*features)`` to ``(time, *features)``; see :class:`ImageDataModule`.
        encode_on: ``"device"``, ``"worker"`` or ``"setup"``; see :class:`ImageDataModule`.
        batch_size: Samples per batch [1].
        augment: Applied to training batches on the device, before encoding.
        validation: Images kept for validation, a number or a fraction [1]; None for the default of the set.
        num_workers: Processes that read batches [1].
        seed: Seed of the split [1].

    Returns:
        The data module.

    Raises:
        ValueError: If there is no set of that name.

    Example:
        >>> by_name("digits", batch_size=32).num_classes
        10
    """
    known = {**_EMBEDDED, **_DOWNLOADED}
    keys = {_key(each): each for each in known}
    if _key(name) not in keys:
        nearest = difflib.get_close_matches(_key(name), keys, n=1)
        hint = f" Did you mean {keys[nearest[0]]!r}?" if nearest else ""
        raise ValueError(f"Expected `name` to be one of {', '.join(map(repr, sorted(known)))}, got {name!r}.{hint}")
    chosen = partial(
        known[keys[_key(name)]],
        encoder=encoder,
        encode_on=encode_on,
        batch_size=batch_size,
        augment=augment,
        num_workers=num_workers,
        seed=seed,
    )
    if validation is not None:
        chosen = partial(chosen, validation=validation)
    return chosen(root=root) if keys[_key(name)] in _DOWNLOADED else chosen()


def _key(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()

"""Save networks and parts of them, and load them again; no code is ever run from a file."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from conex_nn.structure.build import Builder
from conex_nn.structure.container import Container
from conex_nn.structure.describe import describe
from conex_nn.structure.population import Population, Source
from conex_nn.structure.registry import REGISTERED
from conex_nn.structure.restore import default_dtype, rehearse, restore, tie
from conex_nn.structure.structure_files import STRUCTURE, Stored, read, write

__all__ = ["LoadWarning", "load", "save"]


class LoadWarning(UserWarning):
    """What could not be loaded as it was saved.

    Args:
        where: The folder.
        drawn: What was made anew, by address, and why.
        unused: Addresses of tensors that nothing took.

    Example:
        >>> print(LoadWarning("v1", {"l4.synapse.weight": "missing: drawn anew"}, ()))
        Loaded v1 with changes.
          l4.synapse.weight: missing: drawn anew
    """

    def __init__(self, where: str, drawn: Mapping[str, str], unused: tuple[str, ...]) -> None:
        self.where, self.drawn, self.unused = where, dict(drawn), unused
        super().__init__(f"Loaded {where} with changes.{_listed(drawn, unused)}")


def _listed(drawn: Mapping[str, str], unused: tuple[str, ...]) -> str:
    lines = [f"{address}: {what}" for address, what in drawn.items()]
    lines += [f"{address}: not used, nothing has such a tensor" for address in unused]
    return "".join(f"\n  {line}" for line in lines)


def save(part: nn.Module, path: str | os.PathLike[str]) -> None:
    """Save a network, a container or a population: its structure as JSON, its tensors beside it.

    The folder then holds ``structure.json``, to be read and edited by hand, and ``tensors.safetensors``, with weights
    and all else that is learned. Constants of neurons are in the JSON. Fast state is a value of yours and not saved.

    Args:
        part: A :class:`Neocortex`, a column, a layer, a population ...
        path: The folder. What is saved there is replaced.

    Raises:
        TypeError: It is none of these.
        ValueError: Something in it has no name for a file (see :func:`register`), or the folder holds something else.

    Example:
        >>> import tempfile
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population(2, cx.LIF()))
        >>> _ = net.connect("retina", "v1", cx.Dense)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(net, folder)
        ...     again = load(folder)
        >>> print(again)
        Neocortex  6 neurons, 8 trainable weights
          retina: InputLayer
            sensory: input 4
          v1: 2 x LIF
          retina.sensory -> v1  Dense 4 -> 2, proximal, latency 1, 8 weights
    """
    if not isinstance(part, Population | Source | Container):
        raise TypeError(f"Expected a network, a container or a population to save, got {type(part).__name__}.")
    described = describe(part, REGISTERED)
    write(path, {**described.extras, "part": described.tree}, {**described.arguments, **described.state})


def load(path: str | os.PathLike[str], *, strict: bool = True) -> Any:
    """Load what :func:`save` saved, on the CPU and in ``train()`` mode.

    Nothing in the files is run: they name classes and functions of conex_nn, a few of torch, and those of yours that
    are registered (see :func:`register`). The JSON may be edited, a size changed for instance. Tensors that then fit no
    longer are drawn anew with their ``init`` or the default, all others are loaded.

    Args:
        path: The folder.
        strict: Raise where tensors do not fit, are missing or left over. Otherwise make what is missing anew and say
            so in one :class:`LoadWarning`, whose ``drawn`` and ``unused`` hold the addresses.

    Returns:
        The network, container or population.

    Raises:
        FileNotFoundError: There is no such folder, or a file is missing.
        ValueError: A file is damaged, hostile, or of a newer format; a name that is not registered; an argument that is
            unknown, missing or not accepted; with ``strict``, tensors that do not fit.

    Example:
        >>> import tempfile
        >>> import conex_nn as cx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cx.Population(5, cx.LIF(tau_mem=20.0)).save(folder)
        ...     load(folder).neuron.tau_mem
        tensor([20.])
    """
    stored = read(path)
    with _errors_of(stored):
        drawn, unused = rehearse(stored.part, stored.tensors, dtype=stored.dtype, tied=stored.tied)
        if strict and (drawn or unused):
            raise ValueError(
                f"Expected tensors that fit the structure, got some that do not.{_listed(drawn, unused)}\n"
                "After an edit of the JSON, `load(path, strict=False)` draws these anew and loads all others."
            )
        with default_dtype(stored.dtype):
            builder = Builder(REGISTERED, stored.tensors, given=stored.tensors.keys() - drawn.keys())
            part = builder.module(stored.part, "")
        drawn, unused = restore(part, builder, stored.tensors, tied=stored.tied)
        tie(part, tied=stored.tied, frozen=stored.frozen)
        if strict and (drawn or unused):  # of a user's classes, which the sketch does not see
            raise ValueError(
                f"Expected tensors that fit the structure, got some that do not.{_listed(drawn, unused)}\n"
                "`load(path, strict=False)` draws these anew and loads all others."
            )
    if drawn or unused:
        warnings.warn(LoadWarning(str(stored.folder), drawn, unused), stacklevel=2)
    return part


@contextmanager
def _errors_of(stored: Stored) -> Iterator[None]:
    """Say of every error of which file it is."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Cannot load {stored.folder / STRUCTURE}: {error}") from error

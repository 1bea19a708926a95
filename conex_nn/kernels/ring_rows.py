"""What kernels of ring buffers are told, on whichever device, of a population, a connection and random arrivals."""

import torch
from torch import Tensor

from conex_nn.kernels.learning import Table
from conex_nn.kernels.ring_parts import Arrivals, Projection, RingCells

__all__ = ["cells_row", "draw_row", "link_row", "outside_row"]

_MODELS = ("lif", "exponential", "izhikevich", "given")


def cells_row(table: Table, each: RingCells) -> dict[str, int]:
    """Return the integers that say what a population is.

    Args:
        table: Where tensors are kept alive.
        each: The population.

    Example:
        >>> row = cells_row(Table(torch.float32), RingCells(2, "given"))
        >>> row["n"], row["model"], row["v"]
        (2, 3, 0)
    """
    return {
        "n": each.n,
        "model": _MODELS.index(each.model),
        "rows": table.at(each.rows),
        "period": 0 if each.rows is None else each.rows.shape[1],
        "v": 0 if each.v is None else table.keep(each.v),
        "left": 0 if each.refractory is None else table.keep(each.refractory),
        "w": 0 if each.w is None else table.keep(each.w),
        "currents": 0 if each.w is None else len(each.w),
        "soft": int(each.soft_reset),
        "injected": table.at(each.injected),
    }


def outside_row(table: Table, outside: Tensor | None) -> dict[str, int]:
    """Return the integers that say what arrives at a compartment from outside.

    Args:
        table: Where tensors are kept alive.
        outside: ``(time, batch, neurons)``, one that is expanded along time for the same at each step; None for none.

    Example:
        >>> outside_row(Table(torch.float32), torch.ones(4, 1, 3))["outside_stride"]
        3
    """
    constant = outside is not None and outside.stride(0) == 0
    return {
        "outside": 0 if outside is None else table.at(outside[0] if constant else outside),
        "outside_stride": 0 if outside is None or constant else outside[0].numel(),
    }


def link_row(table: Table, each: Projection, *, half: bool = False) -> dict[str, int]:
    """Return the integers that say what a connection is.

    Args:
        table: Where tensors are kept alive.
        each: The connection.
        half: Whether weights in half precision are read as they are.

    Example:
        >>> link_row(Table(torch.float32), Projection(0, 0, torch.ones(2, 2), 3))["delay"]
        3
    """
    begins, targets, delays = each.begins, each.targets, each.delays
    return {
        "kind": each.kind,
        "delay": each.delay,
        "late": table.index(each.late),
        "weights": table.keep(each.weight) if half else table.at(each.weight),
        "weight_step": int(each.weight.numel() > 1),
        "begins": 0 if begins is None else table.keep(begins),
        "long_begins": int(begins is not None and begins.dtype == torch.int64),
        "targets": 0 if targets is None else table.keep(targets),
        "wide_targets": int(targets is not None and targets.dtype == torch.int32),
        "delays": 0 if delays is None else table.keep(delays),
        "wide_delays": int(delays is not None and delays.dtype == torch.int16),
        "factor": table.number(each.factor),
    }


def draw_row(table: Table, each: Arrivals, *, lowest: int = 0) -> dict[str, int]:
    """Return the integers that say what arrives at random.

    Args:
        table: Where tensors are kept alive.
        each: What arrives.
        lowest: The number to which the smallest random one is moved [1].

    Example:
        >>> arrivals = Arrivals(7, 0, torch.tensor([0]), torch.tensor([[5, 2**32]]), torch.ones(1))
        >>> draw_row(Table(torch.float32), arrivals)["counts"]
        1
    """
    reached = each.thresholds[:, (each.thresholds < 2**32).any(0)]
    return {
        "seed": each.seed,
        "step": each.step,
        "samples": table.keep(each.samples.long()),
        "bars": table.keep(reached + lowest),
        "counts": reached.shape[1],
        "bar": table.index(each.row),
        "weight": table.at(each.weight),
    }

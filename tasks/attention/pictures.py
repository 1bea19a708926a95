"""Pictures of what the eye saw, and of what the network made of it."""

from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

import conex_nn as cx

__all__ = ["draw"]

RIGHT, WRONG = "#009E73", "#D55E00"


def draw(out: Path, model: cx.training.SpikingClassifier, data: cx.data.WhatWhere, *, samples: int = 3) -> None:
    """Save scenes with their looks and the evidence gathered from them, and how well cells are told apart.

    Args:
        out: Folder of the pictures.
        model: The trained classifier.
        data: The scenes.
        samples: Scenes to draw [1].
    """
    model.eval()
    confusion = torch.zeros(data.num_cells, data.num_cells, dtype=torch.long)
    first: tuple[Any, Any, Any, Any] | None = None
    for batch in data.test_dataloader():
        inputs, labels = data.on_after_batch_transfer(batch, 0)
        with torch.no_grad():
            found, _ = model.net({name: x.movedim(1, 0) for name, x in inputs.items()}, outputs=["what", "where"])
        what, where = (found[name].flatten(2) for name in ("what", "where"))
        for true, told in zip(labels["where"], where.mean(0).argmax(1), strict=True):
            confusion[true, told] += 1
        first = first or (batch, labels, what, where)
    names = [f"{cell // data.place.columns + 1}, {cell % data.place.columns + 1}" for cell in range(data.num_cells)]
    axes = cx.plots.confusion(confusion, class_names=names)
    axes.set(xlabel="cell told: row, column", ylabel="true cell: row, column")
    axes.figure.savefig(out / "where.png", dpi=150, bbox_inches="tight")
    if first is not None:
        batch, labels, what, where = first
        figure = Figure(figsize=(13, 3.4 * samples), layout="constrained")
        grid = figure.subplots(samples, 4, squeeze=False, width_ratios=[1, 1, 1.6, 1.6])
        for row, index in zip(grid, range(samples), strict=True):
            told = [int(evidence[:, index].mean(0).argmax()) for evidence in (what, where)]
            true = [int(labels[name][index]) for name in ("what", "where")]
            _scene(row[0], batch[0][index], batch[1][index], cells=(true[1], told[1]), columns=data.place.columns)
            _looks(row[1], batch[0][index], columns=data.place.columns)
            visit = int(batch[1][index].flatten(1)[:, true[1]].int().argmax())
            looks = len(batch[0][index])
            for axes, evidence, name, answer, truth, labelled in (
                (row[2], what, "what", told[0], true[0], list(data.class_names)),
                (row[3], where, "where", told[1], true[1], names),
            ):
                _evidence(axes, evidence[:, index], looks=looks, visit=visit, answer=answer, truth=truth)
                axes.set_title(f"{name}: {labelled[answer]}" + ("" if answer == truth else f" (is {labelled[truth]})"))
        figure.savefig(out / "scenes.png", dpi=150)


def _scene(axes: Axes, looks: Tensor, locations: Tensor, *, cells: tuple[int, int], columns: int) -> None:
    """Draw what the looks show at their places, with a frame round the digit's cell, and round a wrong answer."""
    order = locations.flatten(1).int().argmax(1)
    tiles = looks[order.argsort()][:, 0]
    height, width = tiles.shape[1:]
    axes.imshow(_mosaic(tiles, columns, gap=0), cmap="Greys")
    for cell, colour in zip(cells, (RIGHT, WRONG), strict=True):
        if colour == RIGHT or cell != cells[0]:
            corner = (cell % columns * width - 0.5, cell // columns * height - 0.5)
            axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=3))
    axes.set_title("scene")
    axes.set_axis_off()


def _looks(axes: Axes, looks: Tensor, *, columns: int) -> None:
    """Draw what is seen, in the order in which it is seen."""
    axes.imshow(_mosaic(looks[:, 0], columns, gap=1), cmap="Greys")
    height, width = looks.shape[2] + 1, looks.shape[3] + 1
    for turn in range(len(looks)):
        place = (turn % columns * width - 0.3, turn // columns * height - 0.3)
        axes.text(*place, str(turn + 1), color=RIGHT, fontsize=11, fontweight="bold", va="top")
    axes.set_title("looks, in their order")
    axes.set_axis_off()


def _evidence(axes: Axes, evidence: Tensor, *, looks: int, visit: int, answer: int, truth: int) -> None:
    """Draw the potential of each answer, and when the digit was looked at."""
    steps = len(evidence) // looks
    axes.axvspan(visit * steps, (visit + 1) * steps, color="0.9", label="digit in sight")
    for index, trace in enumerate(evidence.T.tolist()):
        if index not in (answer, truth):
            axes.plot(trace, color="0.7", linewidth=0.8)
    axes.plot(evidence[:, truth].tolist(), color=RIGHT, linewidth=2, label="truth")
    if answer != truth:
        axes.plot(evidence[:, answer].tolist(), color=WRONG, linewidth=2, label="answer")
    axes.set(xlabel="time [ms]", ylabel="membrane potential [1]")
    axes.legend(frameon=False, fontsize=8)


def _mosaic(tiles: Tensor, columns: int, *, gap: int) -> Any:
    """Put tiles beside each other, row by row."""
    padded = torch.nn.functional.pad(tiles.float(), (0, gap, 0, gap), value=float("nan"))
    empty = -len(padded) % columns
    padded = torch.cat([padded, padded.new_full((empty, *padded.shape[1:]), float("nan"))])
    rows = padded.unflatten(0, (-1, columns)).movedim(2, 1).flatten(0, 1).flatten(1)
    return rows.numpy()

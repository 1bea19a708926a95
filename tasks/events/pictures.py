"""Pictures of recordings, and of decisions while they last."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

import conex_nn as cx

__all__ = ["draw_cloud", "draw_decisions", "draw_recordings"]

OFF, ON = cx.plots.COLOURS[0], cx.plots.COLOURS[1]


def draw_recordings(path: Path, data: Any, *, pieces: int = 6) -> None:
    """Draw a recording of each class, cut into pieces of time: red where it became brighter, blue where darker.

    Args:
        path: The file.
        data: Recordings and labels.
        pieces: Pictures of each recording [1].
    """
    height, width = data.sensor_size
    classes = sorted(set(data.labels.tolist()))[:10]
    figure = Figure(figsize=(1.1 * pieces + 0.6, 1.1 * len(classes) + 0.6), layout="constrained")
    grid = figure.subplots(len(classes), pieces, squeeze=False)
    frames = cx.encoders.events.FramesByTime((height, width), time=pieces)
    for number, (row, label) in enumerate(zip(grid, classes, strict=True)):
        index = int((data.labels == label).nonzero()[0, 0])
        events, _ = data[index]
        last = float(events.t[-1] - events.t[0]) / 1000
        for place, (ax, frame) in enumerate(zip(row, frames(events), strict=True)):
            ax.imshow(picture(frame))
            ax.set_xticks([])
            ax.set_yticks([])
            if number == 0:
                ax.set_title(f"{last * place / pieces:.0f}-{last * (place + 1) / pieces:.0f} ms", fontsize=8)
        row[0].set_ylabel(str(label), rotation=0, labelpad=10, va="center")
    figure.suptitle("events of one recording of each digit: brighter (red), darker (blue)", fontsize=9)
    figure.savefig(path, dpi=150)


def picture(frame: Tensor) -> Any:
    """Return an image of off and on events, dark where there are none.

    Args:
        frame: Counts ``(2, height, width)`` [1].
    """
    off, on = (frame / frame.amax().clamp(min=1)).clamp(0, 1).sqrt()
    return torch.stack([on, 0.35 * (off + on).clamp(max=1), off], -1).numpy()


def draw_cloud(path: Path, data: Any, *, index: int = 0) -> None:
    """Draw the events of a recording where and when they were.

    Args:
        path: The file.
        data: Recordings and labels.
        index: Which recording [1].
    """
    events, label = data[index]
    figure = Figure(figsize=(8, 4.2))
    ax: Any = figure.add_subplot(projection="3d", computed_zorder=False)
    for polarity, colour, name in ((0, OFF, "darker"), (1, ON, "brighter")):
        here = events.p == polarity
        t = (events.t[here] - events.t[0]).float() / 1000
        ax.scatter(t, events.x[here], events.y[here], s=4, color=colour, label=name, alpha=0.7, linewidths=0)
    height, width = data.sensor_size
    ax.set(xlabel="time [ms]", ylabel="column", zlabel="row", ylim=(0, width), zlim=(height, 0))
    ax.set(xticks=range(0, 301, 100), yticks=(0, width // 2), zticks=(0, height // 2, height))
    ax.set_box_aspect((2.4, 1, 1), zoom=1.35)
    ax.view_init(elev=18, azim=-65)
    ax.set_title(f"{len(events.t)} events of a digit {int(label)}: one stripe for each saccade")
    ax.legend(frameon=False, markerscale=5, loc="upper left", bbox_to_anchor=(-0.02, 0.9))
    figure.savefig(path, dpi=150)


def draw_decisions(
    path: Path,
    frames: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    duration: float,
    chosen: Sequence[int],
) -> None:
    """Draw how scores of the classes grow while a recording goes on, and how many are right by then.

    Args:
        path: The file.
        frames: What was seen, ``(time, recordings, 2, height, width)`` [1].
        scores: Scores of what has come so far, after each frame, ``(time, recordings, classes)``.
        labels: True classes, ``(recordings,)`` [1].
        duration: Of a frame [ms].
        chosen: Recordings to draw [1].
    """
    times = torch.arange(1, len(scores) + 1) * duration
    figure = Figure(figsize=(3.1 * (len(chosen) + 1), 4.6), layout="constrained")
    grid = figure.subplots(2, len(chosen) + 1, height_ratios=(1, 1.4))
    colours = [*cx.plots.COLOURS, "#8C564B", "#7F7F7F", "#17BECF"]
    for index, seen, ax in zip(chosen, grid[0], grid[1], strict=False):
        label, named = int(labels[index]), int(scores[-1, index].argmax())
        seen.imshow(picture(frames[: len(frames) // 4, index].sum(0)))  # later, the digit is at another place
        seen.set_title(f"a {label}, taken for a {named}", fontsize=10, color="black" if label == named else "#C00000")
        seen.axis("off")
        for digit, row in enumerate(scores[:, index].softmax(-1).T):
            strong = digit in (label, named)
            ax.plot(times, row, color=colours[digit], linewidth=2 if strong else 0.8, label=str(digit))
            if strong:
                ax.annotate(str(digit), (float(times[-1]), float(row[-1])), xytext=(3, 0), textcoords="offset points")
        ax.set(xlabel="time [ms]", ylim=(-0.02, 1.02), xlim=(0, 1.06 * float(times[-1])))
    grid[1][0].set_ylabel("share of the scores (softmax)")
    grid[0][-1].axis("off")
    right = (scores.argmax(-1) == labels).float().mean(1)
    grid[1][-1].plot(times, 100 * right, color=cx.plots.COLOURS[2], marker="o", markersize=3)
    grid[1][-1].set(xlabel="time [ms]", ylabel="right by now [%]", ylim=(0, 102), title="all test recordings")
    grid[1][-1].axhline(100 * float(right[-1]), color="0.7", linewidth=0.8)
    for ax in grid[1]:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)

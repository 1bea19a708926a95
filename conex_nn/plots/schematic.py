"""Layers and columns as a textbook draws them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch, RegularPolygon

from conex_nn.plots.axes import new_axes
from conex_nn.plots.network import check_sketch, compartment_line
from conex_nn.plots.palette import KINDS

__all__ = ["schematic"]

_WIDTH, _HEIGHT, _ROW, _COLUMN = 3.4, 1.3, 2.0, 5.8


class _Box(NamedTuple):
    """A layer."""

    x: float
    y: float
    populations: Sequence[Mapping[str, Any]]


def schematic(
    populations: Sequence[Mapping[str, Any]],
    connections: Sequence[Mapping[str, Any]] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw layers as boxes, stacked to columns: triangles are excitatory populations, discs inhibitory, squares input.

    Arrows between layers have the colour and the width of the compartment that they reach; all connections from one
    layer to another by the same compartment are one arrow. Within a layer an arrow excites, a bar inhibits. Layers
    called ``l1`` to ``l6`` lie in their order of depth, others as they come, from below.

    Args:
        populations: Each with ``address``, ``neurons`` [1] and ``kind``, as :func:`conex_nn.structure.sketch` gives.
        connections: Each with ``source`` and ``target`` addresses, ``compartment`` and ``inhibitory``.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        TypeError: A network, in place of its sketch.
        ValueError: No population, or a connection of one that is not there.

    Example:
        >>> ax = schematic(
        ...     [{"address": "v1.l4.exc", "neurons": 80, "kind": "excitatory"},
        ...      {"address": "v1.l4.inh", "neurons": 20, "kind": "inhibitory"}],
        ...     [{"source": "v1.l4.exc", "target": "v1.l4.inh", "compartment": "proximal", "inhibitory": False}])
        >>> [text.get_text() for text in ax.texts]
        ['l4', '80', '20', 'v1']
    """
    check_sketch("schematic", populations)
    connections = connections or ()
    alone = not any("." in each["address"] for each in populations)  # a single layer
    layer_of = {each["address"]: "" if alone else _layer(each["address"]) for each in populations}
    for connection in connections:
        for end in ("source", "target"):
            if connection[end] not in layer_of:
                got = f"`{end}` {connection[end]!r}"
                raise ValueError(f"Expected connections of populations that are drawn, got {got}.")
    boxes = _boxes(populations, layer_of)
    tallest = max(box.y for box in boxes.values()) + _HEIGHT
    widest = max(box.x for box in boxes.values()) + _WIDTH
    ax = new_axes(ax, size=(max(5.0, 0.5 * widest + 2), max(3.6, 0.55 * tallest + 1.8)))
    symbols = {}
    for name, box in boxes.items():
        symbols |= _layer_box(ax, name, box)
    _columns(ax, boxes)
    merged: dict[tuple[str, str, str, bool], int] = {}
    for each in connections:
        source, target = layer_of[each["source"]], layer_of[each["target"]]
        if source == target:
            _within(ax, symbols[each["source"]], symbols[each["target"]], inhibitory=each["inhibitory"])
        else:
            key = (source, target, each["compartment"], each["inhibitory"])
            merged[key] = merged.get(key, 0) + 1
    for place, (source, target, compartment, inhibitory) in enumerate(merged):
        style = compartment_line(compartment)
        _between(ax, boxes[source], boxes[target], style, inhibitory=inhibitory, place=place)
    inhibits = any(key[3] for key in merged)
    compartments = list(dict.fromkeys(key[2] for key in merged))
    _legend(ax, compartments, {each["kind"] for each in populations}, inhibits=inhibits)
    ax.set_aspect("equal")
    ax.set(xlim=(-2.2, widest + 2.2), ylim=(-1.3, tallest + 0.9))
    ax.axis("off")
    return ax


def _layer(address: str) -> str:
    return address.rpartition(".")[0] or address


def _boxes(populations: Sequence[Mapping[str, Any]], layer_of: Mapping[str, str]) -> dict[str, _Box]:
    """Return every layer by its address: columns beside each other, layers above each other."""
    layers: dict[str, list[Mapping[str, Any]]] = {}
    for each in populations:
        layers.setdefault(layer_of[each["address"]], []).append(each)
    columns: dict[str, list[str]] = {}
    for name in layers:
        columns.setdefault(name.rpartition(".")[0] or name, []).append(name)
    found, tallest = {}, max(map(len, columns.values()))
    for x, names in enumerate(columns.values()):
        names.sort(key=_depth)
        base = (tallest - len(names)) / 2  # columns are centred
        for y, name in enumerate(names):
            found[name] = _Box(x * _COLUMN, (base + y) * _ROW, layers[name])
    return found


def _depth(name: str) -> float:
    """Return how high a layer lies: layer 6 is the lowest."""
    found = re.fullmatch(r"(?:l|layer)_?(\d)\w*", name.rpartition(".")[2])
    return -float(found[1]) if found else 0.0


def _layer_box(ax: Axes, name: str, box: _Box) -> dict[str, tuple[float, float]]:
    """Draw a layer, and return where each of its populations lies."""
    ax.add_patch(
        FancyBboxPatch(
            (box.x, box.y), _WIDTH, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.18", facecolor="0.965",
            edgecolor="0.55", linewidth=1.2, zorder=1,
        )
    )  # fmt: skip
    ax.text(box.x + 0.14, box.y + _HEIGHT - 0.12, name.rpartition(".")[2], va="top", fontsize=9, weight="bold")
    places, count = {}, len(box.populations)
    for place, each in enumerate(box.populations):
        x = box.x + _WIDTH * (place + 1) / (count + 1) + 0.15
        y = box.y + 0.52 * _HEIGHT
        ax.add_patch(_symbol(each["kind"], (x, y)))
        ax.text(x, box.y + 0.08, f"{each['neurons']:,}", ha="center", va="bottom", fontsize=9)
        places[each["address"]] = (x, y)
    return places


def _symbol(kind: str, place: tuple[float, float]) -> Patch:
    shade = KINDS.get(kind, KINDS["input"])
    if kind == "inhibitory":
        return Circle(place, 0.23, facecolor=shade, edgecolor="white", zorder=3)
    corners = 3 if kind == "excitatory" else 4
    return RegularPolygon(
        place, corners, radius=0.3, orientation=0.0 if corners == 3 else 0.7854, facecolor=shade, edgecolor="white",
        zorder=3,
    )  # fmt: skip


def _columns(ax: Axes, boxes: Mapping[str, _Box]) -> None:
    """Name each column above its layers."""
    tops: dict[str, _Box] = {}
    for name, box in boxes.items():
        column = name.rpartition(".")[0]
        if column and (column not in tops or box.y > tops[column].y):
            tops[column] = box
    for name, box in tops.items():
        ax.text(box.x + _WIDTH / 2, box.y + _HEIGHT + 0.2, name, ha="center", fontsize=11, weight="bold")


def _within(ax: Axes, source: tuple[float, float], target: tuple[float, float], *, inhibitory: bool) -> None:
    """Draw a connection within a layer: a small loop where a population reaches itself."""
    shade = KINDS["inhibitory" if inhibitory else "excitatory"]
    style: Any = {
        "arrowstyle": "|-|,widthA=0,widthB=0.22" if inhibitory else "-|>", "mutation_scale": 9, "color": shade,
        "linewidth": 1.3, "zorder": 4,
    }  # fmt: skip
    (x0, y0), (x1, y1) = source, target
    if source == target:
        ends, bend = ((x0 - 0.13, y0 + 0.2), (x0 + 0.13, y0 + 0.2)), -1.5
    else:
        way = 0.3 if x1 > x0 else -0.3
        ends, bend = ((x0 + way, y0), (x1 - way, y1)), -0.25
    ax.add_patch(FancyArrowPatch(*ends, connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0, **style))


def _between(ax: Axes, source: _Box, target: _Box, style: Mapping[str, Any], *, inhibitory: bool, place: int) -> None:
    """Draw a connection from layer to layer: up on the right side of a column, down on its left, or straight across."""
    shift = 0.16 * (place % 5 - 2)
    if source.x == target.x:
        up = target.y > source.y
        x = source.x + (_WIDTH if up else 0.0)
        far = abs(target.y - source.y) / _ROW
        begin, end = (x, source.y + _HEIGHT / 2 + shift), (x, target.y + _HEIGHT / 2 + shift)
        bend = 0.55 / far**0.5 + 0.02 * (place % 5)
    else:
        right = target.x > source.x
        begin = (source.x + (_WIDTH if right else 0.0), source.y + _HEIGHT / 2 + shift)
        end = (target.x + (0.0 if right else _WIDTH), target.y + _HEIGHT / 2 + shift)
        bend = 0.0 if abs(target.x - source.x) <= _COLUMN else 0.2
    ax.add_patch(
        FancyArrowPatch(
            begin, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=12,
            linestyle="--" if inhibitory else "-", shrinkA=0, shrinkB=0, zorder=2, **style,
        )
    )  # fmt: skip


def _legend(ax: Axes, compartments: Sequence[str], kinds: set[str], *, inhibits: bool) -> None:
    """Say what colours and symbols mean."""
    markers = {"excitatory": "^", "inhibitory": "o", "input": "s"}
    handles = [
        Line2D([], [], linestyle="", marker=markers[kind], markersize=8, color=KINDS[kind], label=kind)
        for kind in markers
        if kind in kinds
    ]
    handles += [Line2D([], [], **compartment_line(name), label=name) for name in compartments]
    if inhibits:
        handles.append(Line2D([], [], color="0.3", linestyle="--", linewidth=2, label="from inhibitory cells"))
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncol=3, frameon=False, fontsize=9)

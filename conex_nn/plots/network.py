"""A network as a picture: populations as dots, connections as arrows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch

from conex_nn.plots.axes import new_axes
from conex_nn.plots.palette import COLOURS, COMPARTMENTS, KINDS, WIDTHS

__all__ = ["check_sketch", "compartment_line", "network"]

_ROW, _STEP = 2.3, 2.6


def network(
    populations: Sequence[Mapping[str, Any]],
    connections: Sequence[Mapping[str, Any]] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw populations in rows, one for each layer, and the connections among them.

    The area of a dot grows with its number of neurons; excitatory, inhibitory and input populations, and the
    compartments that connections reach, have a colour each; compartments have a width as well, for print without
    colour. Broken lines inhibit.

    Args:
        populations: Each with ``address``, ``neurons`` [1] and ``kind``: excitatory, inhibitory or input; rows follow
            their order from below.
        connections: Each with ``source`` and ``target`` addresses, ``compartment`` and ``inhibitory``.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        TypeError: A network, in place of its sketch.
        ValueError: No population, or a connection of one that is not there.

    Example:
        >>> ax = network(
        ...     [{"address": "in", "neurons": 64, "kind": "input"},
        ...      {"address": "v1", "neurons": 9, "kind": "excitatory"}],
        ...     [{"source": "in", "target": "v1", "compartment": "proximal", "inhibitory": False}])
        >>> len(ax.patches)
        3
    """
    check_sketch("network", populations)
    connections = connections or ()
    places, sizes = _places(populations)
    for connection in connections:
        for end in ("source", "target"):
            if connection[end] not in places:
                got = f"`{end}` {connection[end]!r}"
                raise ValueError(f"Expected connections of populations that are drawn, got {got}.")
    width = max(x for x, _ in places.values()) - min(x for x, _ in places.values())
    height = max(y for _, y in places.values()) + _ROW
    ax = new_axes(ax, size=(max(6.0, 1.3 * width + 4), max(4.0, 0.95 * height)))
    for connection in connections:
        _arrow(ax, connection, places, sizes)
    for population in populations:
        _dot(ax, population, places[population["address"]], sizes[population["address"]])
    seen = list(dict.fromkeys(c["compartment"] for c in connections))
    handles = [Line2D([], [], **compartment_line(name), label=name) for name in seen]
    if any(connection["inhibitory"] for connection in connections):
        handles.append(Line2D([], [], color="0.3", linestyle="--", label="inhibitory"))
    if handles:
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncol=4, frameon=False)
    ax.set_aspect("equal")
    ax.autoscale_view()
    ax.margins(0.12)
    ax.axis("off")
    return ax


def check_sketch(name: str, populations: Any) -> None:
    """Raise unless there is something to draw.

    Args:
        name: Of the function that draws.
        populations: What it was given.

    Raises:
        TypeError: A network, in place of its sketch.
        ValueError: No population.

    Example:
        >>> check_sketch("network", [{"address": "v1", "neurons": 9, "kind": "excitatory"}])
    """
    if not isinstance(populations, Sequence):
        raise TypeError(
            f"Expected populations and connections as `structure.sketch` gives them, got {type(populations).__name__}. "
            f"Draw a network by `plots.{name}(*structure.sketch(net))`."
        )
    if not populations:
        raise ValueError("Expected `populations` to draw, got none.")


def _places(
    populations: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Return where each population is drawn, and its radius."""
    rows: dict[str, list[str]] = {}
    for population in populations:
        rows.setdefault(population["address"].rpartition(".")[0] or population["address"], []).append(
            population["address"]
        )
    most = max(population["neurons"] for population in populations)
    sizes = {p["address"]: 0.16 + 0.34 * math.sqrt(p["neurons"] / most) for p in populations}
    places = {}
    for row, names in enumerate(rows.values()):
        for column, name in enumerate(names):
            places[name] = ((column - (len(names) - 1) / 2) * _STEP, row * _ROW)
    return places, sizes


def compartment_line(compartment: str) -> dict[str, Any]:
    """Return the colour and the width of a connection by the compartment that it reaches.

    Args:
        compartment: Its name.

    Example:
        >>> compartment_line("apical")
        {'color': '#D55E00', 'linewidth': 2.8}
    """
    others = COLOURS[len(COMPARTMENTS) + 1 :]
    colour = COMPARTMENTS.get(compartment, others[sum(map(ord, compartment)) % len(others)])
    return {"color": colour, "linewidth": WIDTHS.get(compartment, 2.0)}


def _dot(ax: Axes, population: Mapping[str, Any], place: tuple[float, float], radius: float) -> None:
    fill = KINDS.get(population["kind"], KINDS["input"])
    ax.add_patch(Circle(place, radius, facecolor=fill, edgecolor="white", linewidth=1.5, zorder=3))
    left = place[0] < 0
    ax.annotate(
        f"{population['address']}\n{population['neurons']:,}",
        (place[0] + (-1 if left else 1) * (radius + 0.12), place[1]),
        ha="right" if left else "left", va="center", fontsize=9, zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
    )  # fmt: skip


def _arrow(
    ax: Axes,
    connection: Mapping[str, Any],
    places: Mapping[str, tuple[float, float]],
    sizes: Mapping[str, float],
) -> None:
    """Draw a bent arrow; one of a population onto itself is a small loop above it."""
    source, target = connection["source"], connection["target"]
    (x0, y0), (x1, y1) = places[source], places[target]
    style = compartment_line(connection["compartment"]) | {
        "arrowstyle": "-|>", "mutation_scale": 10,
        "linestyle": "--" if connection["inhibitory"] else "-", "zorder": 2, "alpha": 0.9,
    }  # fmt: skip
    if source == target:
        r = sizes[source]
        ends = (x0 - 0.8 * r, y0 + 0.6 * r), (x0 + 0.8 * r, y0 + 0.6 * r)
        ax.add_patch(FancyArrowPatch(*ends, connectionstyle="arc3,rad=-1.3", **style))
        return
    length = math.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    begin = (x0 + ux * (sizes[source] + 0.03), y0 + uy * (sizes[source] + 0.03))
    end = (x1 - ux * (sizes[target] + 0.05), y1 - uy * (sizes[target] + 0.05))
    ax.add_patch(FancyArrowPatch(begin, end, connectionstyle="arc3,rad=0.3", **style))

"""Colours that colour-blind readers tell apart, and what they always mean."""

from collections.abc import Mapping

__all__ = ["COLOURS", "COMPARTMENTS", "KINDS", "LINES", "MAGNITUDE", "MISSING", "SIGNED", "WIDTHS", "colour", "line"]

# Okabe and Ito, Color Universal Design (2008), with the yellow left out: it is too pale for thin marks.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")

LINES = ("-", "--", "-.", ":")
"""Styles of lines beside their colours, for print without colour."""

KINDS: Mapping[str, str] = {"excitatory": COLOURS[0], "inhibitory": "#B22222", "input": "#7F7F7F"}
"""Colour of a population by what it does."""

COMPARTMENTS: Mapping[str, str] = {"proximal": COLOURS[2], "distal": COLOURS[3], "apical": COLOURS[1]}
"""Colour of a connection by the compartment that it reaches."""

WIDTHS: Mapping[str, float] = {"proximal": 1.4, "distal": 0.7, "apical": 2.8}
"""Widths of their lines beside their colours, for print without colour [point]."""

MAGNITUDE, SIGNED, MISSING = "viridis", "RdBu_r", "0.85"
"""Colour maps of what is never negative and of what has both signs, with white for 0; and the colour of NaN."""


def colour(place: int) -> str:
    """Return the colour of one of several populations.

    Args:
        place: Which of them [1].

    Example:
        >>> colour(0) == colour(7) == COLOURS[0]
        True
    """
    return COLOURS[place % len(COLOURS)]


def line(place: int) -> str:
    """Return the style of the line of one of several populations.

    Args:
        place: Which of them [1].

    Example:
        >>> line(1)
        '--'
    """
    return LINES[place % len(LINES)]

"""What other simulators make of the same numbers."""

from typing import NamedTuple

__all__ = ["REFERENCE", "REFERENCE_SCALE", "Reference"]


class Reference(NamedTuple):
    """What another simulator makes of a network: a figure of the excitatory cells in steps of 0.1 ms, after 100 ms."""

    rate: float
    """Mean rate [Hz]."""
    cv: float
    """Mean coefficient of variation of the intervals of cells with two at least [1]."""


REFERENCE = {
    "SR": Reference(330.986, 0.0469),
    "SI-fast": Reference(65.970, 1.6503),
    "AI": Reference(47.010, 1.2734),
    "SI-slow": Reference(19.390, 0.8943),
    "COBA": Reference(19.351, 1.5072),
}
"""At scale 0.2, 1 s long, NEST 3.10, the mean of seeds 1 to 3; of SR, 500 ms of seeds 1 and 2; of SI-slow, 1 to 15.
COBA: Brian2 2.9, seeds 1 and 3; rates of single seconds differ by 1 to 2 Hz from seed to seed.

Made by ``uv run --group bench python -m tasks.bench.regimes --scale 0.2 --seeds 3``, with ``--networks '["COBA"]'``."""
REFERENCE_SCALE = 0.2

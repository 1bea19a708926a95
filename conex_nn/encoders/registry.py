"""Encoders by name, for command lines."""

import difflib
from typing import Any

from torch import nn

from conex_nn.encoders.burst import Burst
from conex_nn.encoders.constant_current import ConstantCurrent
from conex_nn.encoders.latency import Latency
from conex_nn.encoders.phase import Phase
from conex_nn.encoders.poisson import Poisson
from conex_nn.encoders.poisson_intervals import PoissonIntervals
from conex_nn.encoders.rank_order import RankOrder

_ENCODERS: dict[str, type[nn.Module]] = {
    "burst": Burst,
    "constant_current": ConstantCurrent,
    "latency": Latency,
    "phase": Phase,
    "poisson": Poisson,
    "poisson_intervals": PoissonIntervals,
    "rank_order": RankOrder,
}


def by_name(name: str, *, time: int, **options: Any) -> nn.Module:
    """Make an encoder from its name.

    In Python the class itself reads better; this is for names that come from a command line or a file. Case,
    underscores and hyphens do not matter. It knows those that give intensities a time; ``Delta``, ``PopulationCode``
    and ``Cochlea`` take what has one, or give none.

    Args:
        name: ``"burst"``, ``"constant_current"``, ``"latency"``, ``"phase"``, ``"poisson"``, ``"poisson_intervals"`` or
            ``"rank_order"``.
        time: Number of steps [1].
        options: Keyword arguments of the encoder; a name it lacks is its own ``TypeError``.

    Returns:
        The encoder.

    Raises:
        ValueError: If there is no encoder of that name.

    Example:
        >>> by_name("poisson", time=30, max_rate=200.0)
        Poisson(time=30, max_rate=200 Hz, dt=1 ms)
    """
    keys = {_key(known): known for known in _ENCODERS}
    if _key(name) in keys:
        return _ENCODERS[keys[_key(name)]](time, **options)
    nearest = difflib.get_close_matches(_key(name), keys, n=1)
    hint = f" Did you mean {keys[nearest[0]]!r}?" if nearest else ""
    raise ValueError(f"Expected `name` to be one of {', '.join(map(repr, sorted(_ENCODERS)))}, got {name!r}.{hint}")


def _key(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()

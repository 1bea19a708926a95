"""What one call of a network learns."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from conex_nn.structure.addresses import nearest
from conex_nn.structure.engine import Network
from conex_nn.structure.learning import Learning

__all__ = ["learning_of"]


def learning_of(
    network: Network,
    modulators: Mapping[str, Tensor | float],
    *,
    steps: int,
    dt: float,
    waiting: Sequence[str] = (),
) -> Learning | None:
    """Return what a call learns, or None where nothing does.

    Args:
        network: What is run.
        modulators: Signals of the whole network, by name.
        steps: Length of the sequence [1].
        dt: Length of a step [ms].
        waiting: Names of the modulators for which rules wait since the call before.

    Raises:
        ValueError: Modulators that no rule waits for.
        RuntimeError: Rules still wait.

    Example:
        >>> import conex_nn as cx
        >>> learning_of(cx.Neocortex(retina=cx.InputLayer(4)).network(), {}, steps=10, dt=1.0) is None
        True
    """
    learning = {path: connection for path, connection in network.connections.items() if connection.learns}
    rules: list[Any] = [c.rule for c in network.connections.values() if c.rule is not None]
    if not learning:
        known = [name for rule in rules for name in rule.modulators()]  # a rule that is frozen needs none
        for name in modulators:
            if name not in known:
                names = ", ".join(dict.fromkeys(known)) or "none, since no rule waits for one"
                raise ValueError(f"Expected `modulators` to be of {names}, got {name!r}.{nearest(name, known)}")
        return None
    if waiting:
        call = f"`net.learn({waiting[0]}=...)`"
        raise RuntimeError(
            f"Expected {call} after each sequence in train(), got another sequence while a rule still waits for "
            f"{', '.join(map(repr, waiting))}. Call it, or `net.discard()` what waits; or give `modulators` to the "
            "call itself."
        )
    return Learning(learning, modulators, steps=steps, dt=dt)

"""Whether steps of a network can be computed again in a backward pass."""

from conex_nn.neurons import ActivityHomeostasis, AdaptiveThreshold, Homeostasis, VoltageHomeostasis
from conex_nn.structure.engine import Network

__all__ = ["check_recomputable"]


def check_recomputable(network: Network) -> None:
    """Raise where a backward pass that computes steps again would find that the network has changed.

    Args:
        network: The network.

    Raises:
        ValueError: A rule learns on the way, or a homeostasis.

    Example:
        >>> import conex_nn as cx
        >>> check_recomputable(cx.Neocortex(retina=cx.InputLayer(4)).network())
    """
    for path, connection in network.connections.items():
        if connection.learns:
            raise ValueError(
                f"Expected `checkpoint_every` only where nothing is learned on the way, got {path!r} with a rule "
                "in train(). Use `eval()`, `switch` the rule off, or `detach_every`."
            )
    slow = (ActivityHomeostasis, AdaptiveThreshold, VoltageHomeostasis, Homeostasis)
    for path, population in network.populations.items():
        learning = [m for m in population.modules() if isinstance(m, slow) and m.training and m.enabled]
        if learning:
            raise ValueError(
                f"Expected `checkpoint_every` only where nothing is learned on the way, got {path!r} with "
                f"{type(learning[0]).__name__} in train(). Use `eval()`, `switch` it off, or `detach_every`."
            )

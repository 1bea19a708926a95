"""What a chain of transforms makes of its input."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from conex_nn.encoders.burst import Burst
from conex_nn.encoders.cochlea import Cochlea
from conex_nn.encoders.constant_current import ConstantCurrent
from conex_nn.encoders.delta import Delta
from conex_nn.encoders.in_turn import InTurn
from conex_nn.encoders.latency import Latency
from conex_nn.encoders.phase import Phase
from conex_nn.encoders.poisson import Poisson
from conex_nn.encoders.poisson_intervals import PoissonIntervals
from conex_nn.encoders.rank_order import RankOrder

_MAKE_TIME = (
    Burst,
    Cochlea,
    ConstantCurrent,
    Delta,
    Latency,
    Phase,
    Poisson,
    PoissonIntervals,
    RankOrder,
)


def check_encodes_once(encoder: Callable[[Tensor], Tensor] | None) -> None:
    """Raise if a chain makes spikes of spikes.

    A chain is an ``nn.Sequential`` or one of torchvision's ``Compose``, others within it, or within :class:`InTurn`,
    included. What a function or a
    module of another kind does inside is not looked into, and zeros and ones do not tell whether they are spikes.

    Args:
        encoder: What is to be applied to samples.

    Raises:
        ValueError: If two of this package's encoders follow on each other.

    Example:
        >>> from conex_nn.encoders import Latency, PopulationCode
        >>> check_encodes_once(nn.Sequential(PopulationCode(8), Latency(20)))
    """
    found = [type(stage).__name__ for stage in _stages(encoder) if isinstance(stage, _MAKE_TIME)]
    if len(found) > 1:
        raise ValueError(
            f"Expected `encoder` to encode once, got {' and then '.join(found)}: spikes are no intensities. "
            "Keep one of them."
        )


def parts_of(chain: Any) -> Iterator[Any]:
    """Yield a transform and all that it is made of: modules within modules, and the links of torchvision's ``Compose``.

    Args:
        chain: A module or a callable.

    Example:
        >>> [type(part).__name__ for part in parts_of(nn.Sequential(nn.Identity()))]
        ['Sequential', 'Identity']
    """
    for part in chain.modules() if isinstance(chain, nn.Module) else [chain]:
        yield part
        for link in getattr(part, "transforms", ()) if _is_compose(part) else ():  # not seen by modules()
            yield from parts_of(link)


def _stages(chain: Any) -> Iterator[Any]:
    if isinstance(chain, nn.Sequential):
        links = list(chain)
    elif _is_compose(chain):
        links = chain.transforms
    elif isinstance(chain, InTurn):
        links = [chain.encoder]
    else:
        yield chain
        return
    for link in links:
        yield from _stages(link)


def _is_compose(chain: Any) -> bool:
    return type(chain).__name__ == "Compose" and hasattr(chain, "transforms")  # torchvision is slow to import

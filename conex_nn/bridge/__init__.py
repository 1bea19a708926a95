"""Between rate networks and spiking ones: the connectivity of either as the other's, and loops of both."""

from conex_nn.bridge.connectivity import to_areas, to_connectivity, to_spiking
from conex_nn.bridge.rate_loop import RateLoop, RateLoopState

__all__ = ["RateLoop", "RateLoopState", "to_areas", "to_connectivity", "to_spiking"]

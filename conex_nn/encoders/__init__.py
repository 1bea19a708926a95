"""Turn intensities into spike trains or currents: callable modules on tensors, for a sample or a whole batch."""

from conex_nn.encoders import events
from conex_nn.encoders.constant_current import ConstantCurrent
from conex_nn.encoders.latency import Latency
from conex_nn.encoders.poisson import Poisson
from conex_nn.encoders.registry import by_name

__all__ = ["ConstantCurrent", "Latency", "Poisson", "by_name", "events"]

"""Turn intensities and signals into spike trains or currents: callable modules on tensors, for a sample or a batch."""

from conex_nn.encoders import events, filters
from conex_nn.encoders.burst import Burst
from conex_nn.encoders.cochlea import Cochlea
from conex_nn.encoders.constant_current import ConstantCurrent
from conex_nn.encoders.delta import Delta
from conex_nn.encoders.latency import Latency
from conex_nn.encoders.mel_filter_bank import MelFilterBank
from conex_nn.encoders.phase import Phase
from conex_nn.encoders.poisson import Poisson
from conex_nn.encoders.poisson_intervals import PoissonIntervals
from conex_nn.encoders.population_code import PopulationCode
from conex_nn.encoders.rank_order import RankOrder
from conex_nn.encoders.registry import by_name

__all__ = ["ConstantCurrent", "Latency", "Poisson", "by_name", "events"]
__all__ = [
    "Burst",
    "Cochlea",
    "ConstantCurrent",
    "Delta",
    "Latency",
    "MelFilterBank",
    "Phase",
    "Poisson",
    "PoissonIntervals",
    "PopulationCode",
    "RankOrder",
    "by_name",
    "filters",
]

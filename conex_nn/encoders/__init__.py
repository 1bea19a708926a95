"""Turn intensities and signals into spike trains or currents: callable modules on tensors, for a sample or a batch."""

from conex_nn.encoders import events, filters
from conex_nn.encoders.burst import Burst
from conex_nn.encoders.cochlea import Cochlea
from conex_nn.encoders.constant_current import ConstantCurrent
from conex_nn.encoders.delta import Delta
from conex_nn.encoders.fixations import RandomFixations, SalientFixations
from conex_nn.encoders.foveate import Foveate
from conex_nn.encoders.grid_masks import GridCrop, GridErase, GridKeep
from conex_nn.encoders.in_turn import InTurn
from conex_nn.encoders.latency import Latency
from conex_nn.encoders.log_polar import LogPolar
from conex_nn.encoders.looks import Looks
from conex_nn.encoders.mel_filter_bank import MelFilterBank
from conex_nn.encoders.phase import Phase
from conex_nn.encoders.place import PlaceInGrid
from conex_nn.encoders.poisson import Poisson
from conex_nn.encoders.poisson_intervals import PoissonIntervals
from conex_nn.encoders.population_code import PopulationCode
from conex_nn.encoders.rank_order import RankOrder
from conex_nn.encoders.registry import by_name
from conex_nn.encoders.saccades import Saccades
from conex_nn.encoders.scramble import Scramble

__all__ = [
    "Burst",
    "Cochlea",
    "ConstantCurrent",
    "Delta",
    "Foveate",
    "GridCrop",
    "GridErase",
    "GridKeep",
    "InTurn",
    "Latency",
    "LogPolar",
    "Looks",
    "MelFilterBank",
    "Phase",
    "PlaceInGrid",
    "Poisson",
    "PoissonIntervals",
    "PopulationCode",
    "RandomFixations",
    "RankOrder",
    "Saccades",
    "SalientFixations",
    "Scramble",
    "by_name",
    "events",
    "filters",
]

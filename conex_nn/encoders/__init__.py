"""Turn intensities into spike trains or currents: callable modules on tensors, for a sample or a whole batch."""

from conex_nn.encoders.constant_current import ConstantCurrent
from conex_nn.encoders.fixations import RandomFixations, SalientFixations
from conex_nn.encoders.foveate import Foveate
from conex_nn.encoders.grid_masks import GridCrop, GridErase, GridKeep
from conex_nn.encoders.in_turn import InTurn
from conex_nn.encoders.latency import Latency
from conex_nn.encoders.log_polar import LogPolar
from conex_nn.encoders.looks import Looks
from conex_nn.encoders.place import PlaceInGrid
from conex_nn.encoders.poisson import Poisson
from conex_nn.encoders.registry import by_name
from conex_nn.encoders.saccades import Saccades
from conex_nn.encoders.scramble import Scramble

__all__ = [
    "ConstantCurrent",
    "Foveate",
    "GridCrop",
    "GridErase",
    "GridKeep",
    "InTurn",
    "Latency",
    "LogPolar",
    "Looks",
    "PlaceInGrid",
    "Poisson",
    "RandomFixations",
    "Saccades",
    "SalientFixations",
    "Scramble",
    "by_name",
]

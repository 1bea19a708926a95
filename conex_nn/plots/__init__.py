"""Pictures of what came out: functions of data and recordings that draw on matplotlib axes and return them."""

from conex_nn.plots.areas import areas
from conex_nn.plots.axes import side_by_side
from conex_nn.plots.conditions import conditions
from conex_nn.plots.confusion import confusion
from conex_nn.plots.connectivity import connectivity
from conex_nn.plots.criticality import avalanches, branching
from conex_nn.plots.curves import curves, read_log
from conex_nn.plots.eigenvalues import eigenvalues
from conex_nn.plots.intervals import cv_histogram, interval_histogram
from conex_nn.plots.network import network
from conex_nn.plots.palette import COLOURS
from conex_nn.plots.psychometric import psychometric
from conex_nn.plots.raster import raster
from conex_nn.plots.rates import rates
from conex_nn.plots.return_map import return_map
from conex_nn.plots.schematic import schematic
from conex_nn.plots.similarity import similarity
from conex_nn.plots.spectrum import spectrum
from conex_nn.plots.stdp_window import stdp_window
from conex_nn.plots.traces import traces
from conex_nn.plots.trajectories import trajectories
from conex_nn.plots.trial import trial
from conex_nn.plots.weight_evolution import weight_evolution
from conex_nn.plots.weight_matrix import weight_histogram, weight_matrix
from conex_nn.plots.weights import mosaic, weights
from conex_nn.plots.wiring import wiring

__all__ = [
    "COLOURS",
    "areas",
    "avalanches",
    "branching",
    "conditions",
    "confusion",
    "connectivity",
    "curves",
    "cv_histogram",
    "eigenvalues",
    "interval_histogram",
    "mosaic",
    "network",
    "psychometric",
    "raster",
    "rates",
    "read_log",
    "return_map",
    "schematic",
    "side_by_side",
    "similarity",
    "spectrum",
    "stdp_window",
    "traces",
    "trajectories",
    "trial",
    "weight_evolution",
    "weight_histogram",
    "weight_matrix",
    "weights",
    "wiring",
]

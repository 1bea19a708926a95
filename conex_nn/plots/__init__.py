"""Pictures of what came out: functions of plain data that draw on matplotlib axes and return them."""

from conex_nn.plots.axes import side_by_side
from conex_nn.plots.conditions import conditions
from conex_nn.plots.confusion import confusion
from conex_nn.plots.connectivity import connectivity
from conex_nn.plots.curves import curves, read_log
from conex_nn.plots.network import network
from conex_nn.plots.palette import COLOURS
from conex_nn.plots.psychometric import psychometric
from conex_nn.plots.raster import raster
from conex_nn.plots.trial import trial
from conex_nn.plots.weights import mosaic, weights

__all__ = [
    "COLOURS",
    "conditions",
    "confusion",
    "connectivity",
    "curves",
    "mosaic",
    "network",
    "psychometric",
    "raster",
    "read_log",
    "side_by_side",
    "trial",
    "weights",
]

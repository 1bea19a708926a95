"""Pictures of what came out: functions of plain data that draw on matplotlib axes and return them."""

from conex_nn.plots.areas import areas
from conex_nn.plots.axes import side_by_side
from conex_nn.plots.confusion import confusion
from conex_nn.plots.curves import curves, read_log
from conex_nn.plots.network import network
from conex_nn.plots.palette import COLOURS
from conex_nn.plots.raster import raster
from conex_nn.plots.weights import mosaic, weights

__all__ = [
    "COLOURS",
    "areas",
    "confusion",
    "curves",
    "mosaic",
    "network",
    "raster",
    "read_log",
    "side_by_side",
    "weights",
]

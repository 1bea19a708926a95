"""What comes before an encoder: receptive fields of retina and cortex, polarity, local contrast, shapes."""

from conex_nn.encoders.filters.convolve import Convolve
from conex_nn.encoders.filters.difference_of_gaussians import difference_of_gaussians
from conex_nn.encoders.filters.gabor import gabor, gabor_bank
from conex_nn.encoders.filters.lateral_inhibition import LateralInhibition
from conex_nn.encoders.filters.normalise import LocalNormalise, PeakNormalise
from conex_nn.encoders.filters.reshape import Squeeze, SwapAxes, Unsqueeze
from conex_nn.encoders.filters.split_polarity import SplitPolarity

__all__ = [
    "Convolve",
    "LateralInhibition",
    "LocalNormalise",
    "PeakNormalise",
    "SplitPolarity",
    "Squeeze",
    "SwapAxes",
    "Unsqueeze",
    "difference_of_gaussians",
    "gabor",
    "gabor_bank",
]

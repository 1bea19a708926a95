"""Record what happens inside a network, and analyse it: plain functions on tensors ``(time, *batch, *neurons)``."""

from conex_nn.recording.avalanches import Avalanches, avalanches
from conex_nn.recording.branching_ratio import Branching, branching_ratio
from conex_nn.recording.clusters import clusters
from conex_nn.recording.correlations import Correlations, correlations
from conex_nn.recording.fano_factor import fano_factor
from conex_nn.recording.intervals import Intervals, cv, cv2, intervals, local_variation
from conex_nn.recording.linear_probe import Decoding, linear_probe
from conex_nn.recording.neo_export import to_neo
from conex_nn.recording.power_spectrum import BANDS, Spectrum, band_power, power_spectrum
from conex_nn.recording.principal_components import Components, principal_components
from conex_nn.recording.rates import binned_rate, population_rate, rate, smoothed_rate, spike_counts
from conex_nn.recording.record import module_at, record
from conex_nn.recording.spiking import is_spiking, outlet, spiking_layers
from conex_nn.recording.synchrony import synchrony
from conex_nn.recording.tuning import CircularTuning, Tuning, circular_tuning, sparseness, tuning
from conex_nn.structure.events import Events
from conex_nn.structure.recording import Recording, nearest
from conex_nn.structure.simulation import Simulation

__all__ = [
    "BANDS",
    "Avalanches",
    "Branching",
    "CircularTuning",
    "Components",
    "Correlations",
    "Decoding",
    "Events",
    "Intervals",
    "Recording",
    "Simulation",
    "Spectrum",
    "Tuning",
    "avalanches",
    "band_power",
    "binned_rate",
    "branching_ratio",
    "circular_tuning",
    "clusters",
    "correlations",
    "cv",
    "cv2",
    "fano_factor",
    "intervals",
    "is_spiking",
    "linear_probe",
    "local_variation",
    "module_at",
    "nearest",
    "outlet",
    "population_rate",
    "power_spectrum",
    "principal_components",
    "rate",
    "record",
    "smoothed_rate",
    "sparseness",
    "spike_counts",
    "spiking_layers",
    "synchrony",
    "to_neo",
    "tuning",
]

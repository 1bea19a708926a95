"""Record what happens inside a network."""

from conex_nn.recording.record import module_at, record
from conex_nn.recording.spiking import is_spiking, outlet, spiking_layers
from conex_nn.structure.recording import Events, Recording, nearest

__all__ = ["Events", "Recording", "is_spiking", "module_at", "nearest", "outlet", "record", "spiking_layers"]

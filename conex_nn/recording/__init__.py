"""Record what happens inside a network."""

from conex_nn.recording.record import module_at, record
from conex_nn.recording.recording import Recording, nearest
from conex_nn.recording.spiking import is_spiking, spiking_layers

__all__ = ["Recording", "is_spiking", "module_at", "nearest", "record", "spiking_layers"]

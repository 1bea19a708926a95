"""The steps of `conex_nn.functional` fused over whole sequences, forward and backward. Only speed lives here."""

from conex_nn.kernels.adaptive import adaptive_rows, adaptive_sequence
from conex_nn.kernels.ctrnn import acts_alone, ctrnn_sequence, input_product, runs_fused
from conex_nn.kernels.draws import NumberTable, draw_numbers, draws_here, number_table
from conex_nn.kernels.events import Cells, Link, event_currents, lif_loop
from conex_nn.kernels.hebbian import correlate, event_product, mostly_zeros
from conex_nn.kernels.layout import stack_rows
from conex_nn.kernels.learning import Learning
from conex_nn.kernels.li import li_rows, li_sequence
from conex_nn.kernels.lif import lif_rows, lif_sequence
from conex_nn.kernels.pairs import PackedSpikes, pair_change
from conex_nn.kernels.ring import ring_run
from conex_nn.kernels.ring_parts import Arrivals, Channel, Fired, Probe, Projection, RingCells, listed

__all__ = [
    "Arrivals",
    "Cells",
    "Channel",
    "Fired",
    "Learning",
    "Link",
    "NumberTable",
    "PackedSpikes",
    "Probe",
    "Projection",
    "RingCells",
    "acts_alone",
    "adaptive_rows",
    "adaptive_sequence",
    "correlate",
    "ctrnn_sequence",
    "draw_numbers",
    "draws_here",
    "event_currents",
    "event_product",
    "input_product",
    "li_rows",
    "li_sequence",
    "lif_loop",
    "lif_rows",
    "lif_sequence",
    "listed",
    "mostly_zeros",
    "number_table",
    "pair_change",
    "ring_run",
    "runs_fused",
    "stack_rows",
]

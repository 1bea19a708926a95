"""The steps of `conex_nn.functional` fused over whole sequences, forward and backward. Only speed lives here."""

from conex_nn.kernels.adaptive import adaptive_sequence
from conex_nn.kernels.li import li_sequence
from conex_nn.kernels.lif import lif_sequence

__all__ = ["adaptive_sequence", "li_sequence", "lif_sequence"]

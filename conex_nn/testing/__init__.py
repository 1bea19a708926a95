"""What a model has to hold to: the battery that ours pass, for yours. It needs torch and this package alone."""

from conex_nn.testing.fused import check_fused
from conex_nn.testing.laws import LAWS
from conex_nn.testing.module import check_module

__all__ = ["LAWS", "check_fused", "check_module"]

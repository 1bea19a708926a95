"""How work is laid out on the GPU: which programs, how much each prefetches, how sequences are walked."""

from typing import Any

import torch
import triton.language as tl
from torch import Tensor

__all__ = ["by_time", "launch_options", "precision"]

_PROGRAMS = 1024
"""Programs that keep a large GPU busy: about eight for each of an H200's 132 multiprocessors."""

_STAGES = 8
"""Steps whose loads are in flight at once: what it takes to cover the latency of memory with one warp per processor."""

_PREFETCH = 1 << 15
"""Bytes of shared memory that one program may fill with loads in flight."""


def by_time(sequence: Tensor) -> tuple[Tensor, int]:
    """Make each step of a sequence contiguous and return how far apart steps are, 0 where all are the same.

    Args:
        sequence: Time first.

    Example:
        >>> by_time(torch.ones(3, 1).expand(3, 4))[1], by_time(torch.ones(4).expand(3, 4))[1]
        (4, 0)
    """
    if sequence.is_contiguous() or sequence[:1].is_contiguous():
        return sequence, sequence.stride(0)
    if sequence.stride(0) == 0:
        return sequence[:1].contiguous(), 0
    sequence = sequence.contiguous()
    return sequence, sequence.stride(0)


def precision(dtype: torch.dtype) -> tuple[torch.dtype, Any]:
    """Return in what the kernels compute for a state of this dtype, as torch and as Triton call it.

    Args:
        dtype: Floating type of the state; half precision is computed in single.

    Example:
        >>> precision(torch.bfloat16)
        (torch.float32, triton.language.float32)
    """
    return (torch.float64, tl.float64) if dtype == torch.float64 else (torch.float32, tl.float32)


def launch_options(total: int, loads: int) -> tuple[tuple[int], dict[str, Any]]:
    """Return the grid, and how a kernel that runs one program per block of neurons is compiled.

    A thread has two neurons, so that also in half precision it loads the four bytes which can be prefetched.
    Products and sums are not fused: the potentials are then those of the step loop, bit for bit.

    Args:
        total: Neurons of the whole batch.
        loads: Bytes that a neuron loads in one step.

    Example:
        >>> launch_options(6400, loads=4)
        ((100,), {'block': 64, 'stages': 8, 'num_warps': 1, 'enable_fp_fusion': False})
    """
    block = next((block for block in (256, 128) if total >= block * _PROGRAMS), 64)
    stages = max(2, min(_STAGES, _PREFETCH // (loads * block)))
    options = {"block": block, "stages": stages, "num_warps": block // 64, "enable_fp_fusion": False}
    return (-(-total // block),), options

"""Run a compiled kernel on as many threads as torch uses.

A kernel takes its work in chunks from a counter in its arguments until none is left, so it does not matter how many
threads run it, and every number of threads gives the same result.
"""

import ctypes
import functools
import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from conex_nn.kernels.jit import kernel

__all__ = ["launch"]

_SERIAL = 1 << 15  # elements of work below which one thread is faster than two


@functools.cache
def _openmp():
    """Return ``GOMP_parallel`` of the OpenMP runtime that torch itself runs on, or None where there is none.

    A second runtime (numba's) would keep its threads spinning against torch's.
    """
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        parallel = ctypes.CDLL(str(path)).GOMP_parallel
        parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        parallel.restype = None
        return parallel
    return None


@functools.cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Return the threads of one process; a forked one has none of its parent's."""
    return ThreadPoolExecutor(threads, thread_name_prefix="conex_nn")


_PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Entry(NamedTuple):
    address: int
    function: Callable[[ctypes.Array[ctypes.c_char]], None]
    record: struct.Struct
    """How the arguments lie in memory, the counter of the chunks first."""
    room: type[ctypes.Array[ctypes.c_char]]


@functools.cache
def _entry(
    name: str, variant: tuple[int, ...], dtype: torch.dtype, numbers: int, scalars: int, pointers: int
) -> _Entry:
    """Return a kernel that takes so many arguments of each kind."""
    address, record = kernel(name, variant, dtype), struct.Struct(f"={1 + numbers}q{scalars}d{pointers}q")
    return _Entry(address, _PROTOTYPE(address), record, ctypes.c_char * record.size)


def launch(
    name: str,
    variant: tuple[int, ...],
    dtype: torch.dtype,
    numbers: Sequence[int],
    tensors: Sequence[Tensor | None],
    work: int,
    *,
    scalars: Sequence[float] = (),
) -> None:
    """Run a kernel over all its chunks and wait for it.

    Args:
        name: The kernel, see :func:`conex_nn.kernels.jit.kernel`.
        variant: Which of its variants.
        dtype: Floating type of its tensors.
        numbers: Its integer arguments.
        tensors: Contiguous tensors that it reads and writes; None for those it leaves alone.
        work: How many elements it touches; small jobs stay on one thread.
        scalars: Its floating arguments; they stand between the integers and the tensors, as the bits of a double.

    Example:
        >>> out = torch.empty(2, 1)
        >>> parameters = torch.tensor([[0.5], [1.0], [0.0]])  # decay, gain, drive
        >>> launch("li.forward", (True,), torch.float32, (2, 1, 1, 1, 1),
        ...        (torch.ones(2, 1), parameters, torch.zeros(1), out), 2)
        >>> out.flatten()
        tensor([1.0000, 1.5000])
    """
    address, function, record, room = _entry(name, variant, dtype, len(numbers), len(scalars), len(tensors))
    pointers = [0 if tensor is None else tensor.data_ptr() for tensor in tensors]
    arguments = room.from_buffer_copy(record.pack(0, *numbers, *scalars, *pointers))
    threads = torch.get_num_threads() if work > _SERIAL else 1
    if threads == 1:
        function(arguments)
    elif (parallel := _openmp()) is not None:
        parallel(address, arguments, threads, 0)
    else:
        jobs = [_pool(threads, os.getpid()).submit(function, arguments) for _ in range(threads - 1)]
        function(arguments)
        for job in jobs:
            job.result()

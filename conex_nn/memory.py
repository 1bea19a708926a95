"""Keep freed memory in the process: on a CPU, a training loop frees and asks for the same tensors at every step."""

import ctypes
import platform

__all__ = ["keep_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_* of glibc's malloc.h


def keep_memory() -> bool:
    """Tell the C library to keep freed memory for the next tensor instead of giving it back to the system.

    By default glibc returns every large tensor to the system when it is freed, and each new one then costs a page fault
    for every 4 KiB: a third of a training step of a conv net on the machine where it was measured. The process keeps
    its peak memory until it ends. :class:`conex_nn.training.SpikingClassifier` calls this when it fits on a CPU.

    Returns:
        Whether the C library is glibc and has taken it; elsewhere nothing is changed.

    Example:
        >>> kept = keep_memory()

    References:
        The GNU C Library manual, section 3.2.3.5, "Malloc Tunable Parameters".
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mapped = mallopt(_MMAP_THRESHOLD, 1 << 30) or mallopt(_MMAP_THRESHOLD, 1 << 25)  # the most that an old glibc takes
    return bool(mapped and mallopt(_TRIM_THRESHOLD, (1 << 31) - 1))

"""The memory of the machine: how much is free, and keeping in the process what a training loop frees at every step."""

import ctypes
import os
import platform
from pathlib import Path

__all__ = ["free_memory", "keep_memory", "require_free"]

_STATUS = Path("/proc/meminfo")

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


def free_memory() -> int | None:
    """Return how many bytes a process can still take without others being swapped out; None where that is not known.

    Example:
        >>> free = free_memory()
        >>> free is None or free > 0
        True
    """
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass  # no such thing on this system
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def require_free(needed: int, what: str, *, remedy: str) -> None:
    """Raise where something would not fit into what memory is free, before it is made.

    Args:
        needed: Bytes that it takes [1].
        what: What it is, for the message.
        remedy: What to do about it.

    Raises:
        MemoryError: It would not.

    Example:
        >>> require_free(10**18, "a list of all insects", remedy="Leave out the beetles.")
        Traceback (most recent call last):
        MemoryError: Expected 9.31e+08 GiB of free memory for a list of all insects, got ... Leave out the beetles.
    """
    free = free_memory()
    if free is not None and needed > free:
        raise MemoryError(
            f"Expected {needed / 2**30:.3g} GiB of free memory for {what}, got {free / 2**30:.3g} GiB. {remedy}"
        )

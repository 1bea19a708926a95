"""One contestant in a process of its own; it does what it is told on standard input and answers in JSON."""

import ctypes
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from conex_nn import keep_memory
from tasks.bench.elapsed import Elapsed
from tasks.bench.suite import SUITES

__all__ = ["main"]


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _settle() -> float:
    """Give back what is free, forget the peak so far, and return what is in use between two steps [MiB]."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    else:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def _resident(field: str) -> float:
    """Return a figure of this process's memory [MiB]."""
    if torch.cuda.is_available():
        used = torch.cuda.max_memory_allocated() if field == "VmHWM" else torch.cuda.memory_allocated()
        return used / 2**20
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field)) / 1024


def _timed(step: Callable[[], object]) -> float:
    """Return the seconds that a call takes, by its own clock if it has one."""
    begin = time.perf_counter()
    result = step()
    _synchronize()
    return result if isinstance(result, Elapsed) else time.perf_counter() - begin


def main(suite: str, contestant: str, case: str, seed: int) -> None:
    """Build a contestant, then time it as often as asked."""
    torch.manual_seed(seed)
    keep_memory()  # for all alike: page faults are not what is compared
    whole = SUITES[suite].whole_memory
    begin = time.perf_counter()
    try:
        step = SUITES[suite].contestants[contestant](SUITES[suite].cases[case])
    except ImportError as error:
        print(json.dumps({"absent": str(error)}), flush=True)
        return
    built = time.perf_counter() - begin
    first = _timed(step)
    step()
    print(json.dumps({"first": first, "build": built}), flush=True)
    for line in sys.stdin:
        order, count = line.split()
        if order == "memory":
            try:
                before = 0.0 if whole else _settle()
                step()
                _synchronize()
                answer = {"memory": _resident("VmHWM") - before}
            except OSError:
                answer = {"memory": float("nan")}  # no Linux
        else:
            answer = {"times": [_timed(step) for _ in range(int(count))]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))

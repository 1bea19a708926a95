"""Run networks by the GPU's kernels of ring buffers in Triton's interpreter, and print what went wrong as JSON.

As `tests.kernels.interpreted`, a program of its own: TRITON_INTERPRET=1 python -m tests.structure.interpreted_ring.
"""

import json
import sys
import traceback
from contextlib import nullcontext
from functools import partial
from unittest.mock import patch

import torch
from triton.runtime import interpreter

from conex_nn.kernels import ring
from conex_nn.kernels.gpu import ring as gpu
from tests.structure import ring_cases


class _Patched:
    def restore(self) -> None:
        """Leave the language as the interpreter has it."""


def _patch_once() -> None:
    """Let the interpreter put its own words into Triton's language once, not in every call of every function."""
    patch, done = interpreter._patch_lang, set()

    def patched(function) -> _Patched:
        if id(function.__globals__) not in done:
            done.add(id(function.__globals__))
            patch(function)
        return _Patched()

    interpreter._patch_lang = patched


def main() -> None:
    _patch_once()
    ran = []

    def run(*inputs, **options):
        ran.append(options["steps"])
        return gpu.run(*inputs, **options)

    ring._RUN_ON["cpu"] = run
    torch.set_num_threads(1)
    # Else each sum of integers is checked for overflow, which takes time.
    interpreter.interpreter_builder.options = interpreter.InterpreterOptions(sanitize_overflow=False)
    # Few steps are recorded at once, and fetched together, so that a run is of several of both.
    gpu._RECORDED, gpu._STEPS, gpu._PROGRAMS = 2, 4, 1
    checks = {
        "network": (ring_cases.check_network, {}),
        # Populations, and the edges of a spike, are more than one program takes at once.
        "widths": (partial(ring_cases.check_widths, run), {"_BLOCK": 2, "_EDGES": 2, "_PIECE": 2, "_PROGRAMS": 2}),
        "draws": (partial(ring_cases.check_draws, run), {"_BLOCK": 2}),
        "refusals": (partial(ring_cases.check_refusals, run), {}),
    }
    problems = {}
    for name, (check, sizes) in checks.items():
        ran.clear()
        try:
            with patch.multiple(gpu, **sizes) if sizes else nullcontext():
                check()
            if not ran:
                raise AssertionError("no kernel ran")
            problems[name] = None
        except Exception:  # whatever it is, the test of this case reports it
            problems[name] = traceback.format_exc()
    json.dump(problems, sys.stdout)


if __name__ == "__main__":
    main()

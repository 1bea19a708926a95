"""Run all cases through Triton's interpreter, which needs no GPU, and print what went wrong with each as JSON.

Triton decides on being imported whether it interprets, so this is a program of its own: TRITON_INTERPRET=1 python
-m tests.kernels.interpreted. The operators of torch then run the kernels for CUDA on tensors of the CPU.
"""

import json
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from conex_nn.kernels import adaptive, li, lif

if "triton" in sys.modules:
    raise AssertionError("importing the operators imported Triton")

from conex_nn.kernels.gpu import adaptive as gpu_adaptive
from conex_nn.kernels.gpu import li as gpu_li
from conex_nn.kernels.gpu import lif as gpu_lif
from tests.kernels.gpu_cases import cases, check, check_half


def main() -> None:
    ran = []

    def noted(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def run(*inputs: Any) -> Any:
            ran.append(kernel)
            return kernel(*inputs)

        return run

    for operators, kernels in ((li, gpu_li), (lif, gpu_lif), (adaptive, gpu_adaptive)):
        operators._FORWARD_ON["cpu"] = noted(kernels.forward)
        operators._BACKWARD_ON["cpu"] = noted(kernels.backward)
        if hasattr(operators, "_BACKWARD_IN_PLACE"):
            operators._BACKWARD_IN_PLACE["cpu"] = operators._BACKWARD_ON["cpu"]
    torch.set_num_threads(1)
    problems = {}
    # The interpreter cuts bfloat16 off instead of rounding it, so the half precision here is the other one.
    checks = {"half": partial(check_half, torch.float16), **{str(case): partial(check, case) for case in cases()}}
    for name, run in checks.items():
        ran.clear()
        try:
            run()
            if len(set(ran)) != 2:
                raise AssertionError(f"of forward and backward for CUDA, there ran {ran}")
            problems[name] = None
        except Exception:  # whatever it is, the test of this case reports it
            problems[name] = traceback.format_exc()
    json.dump(problems, sys.stdout)


if __name__ == "__main__":
    main()

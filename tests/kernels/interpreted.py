"""Run all cases through Triton's interpreter, which needs no GPU, and print what went wrong with each as JSON.

Triton decides on being imported whether it interprets, so this is a program of its own: TRITON_INTERPRET=1 python
-m tests.kernels.interpreted. The operators of torch then run the kernels for CUDA on tensors of the CPU.
"""

import json
import sys
import traceback

import torch

from conex_nn.kernels import adaptive, li, lif
from conex_nn.kernels.gpu import adaptive as gpu_adaptive
from conex_nn.kernels.gpu import li as gpu_li
from conex_nn.kernels.gpu import lif as gpu_lif
from tests.kernels.gpu_cases import cases, check


def main() -> None:
    for operators, kernels in ((li, gpu_li), (lif, gpu_lif), (adaptive, gpu_adaptive)):
        operators._forward.register_kernel("cpu")(kernels.forward)
        operators._backward.register_kernel("cpu")(kernels.backward)
    torch.set_num_threads(1)
    problems = {}
    for case in cases():
        try:
            check(case)
            problems[str(case)] = None
        except Exception:  # whatever it is, the test of this case reports it
            problems[str(case)] = traceback.format_exc()
    json.dump(problems, sys.stdout)


if __name__ == "__main__":
    main()

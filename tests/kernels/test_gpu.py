"""The Triton kernels: by Triton's interpreter and its compiler anywhere, on the device where there is one."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.kernels.gpu_cases import Case, cases, check, check_half

ROOT = Path(__file__).resolve().parents[2]
CASES = [pytest.param(case, id=str(case)) for case in cases()]
SOME = [Case("li"), Case("lif", pauses=True, detach=False), Case("adaptive", currents=2, each=True)]


@pytest.fixture(scope="module")
def interpreted() -> dict[str, str | None]:
    """What went wrong with each case in the interpreter, which only a fresh process can choose."""
    pytest.importorskip("triton")
    done = subprocess.run(
        [sys.executable, "-m", "tests.kernels.interpreted"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES)
def test_interpreted_kernels_are_the_step_loop(case, interpreted):
    assert interpreted[str(case)] is None, interpreted[str(case)]


def test_interpreted_kernels_compute_half_precision_in_single(interpreted):
    assert interpreted["half"] is None, interpreted["half"]


def test_the_cases_have_names_of_their_own():
    assert len({str(case) for case in cases()}) == len(cases())


def compiled(kernel, args, options):
    """Compile one launch for an H200 as Triton would, but without the device that it would ask."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    values = dict(zip(kernel.arg_names, args, strict=False)) | options
    dtypes = {torch.float32: "*fp32", torch.float64: "*fp64", torch.bfloat16: "*bf16"}
    dtypes |= {torch.int32: "*i32", torch.int64: "*i64"}
    signature, constants, attributes = {}, {}, {}
    for i, parameter in enumerate(kernel.params):
        value = values.pop(parameter.name)
        divisible = False
        if (
            parameter.is_constexpr
            or value is None
            or (isinstance(value, int) and value == 1 and not parameter.do_not_specialize)
        ):
            signature[parameter.name], constants[parameter.name] = "constexpr", value
        elif isinstance(value, torch.Tensor):
            signature[parameter.name], divisible = dtypes[value.dtype], True
        elif isinstance(value, float):
            signature[parameter.name] = parameter.annotation_type
            assert parameter.annotation_type == "fp64"  # else Triton takes it in single precision
        else:
            signature[parameter.name] = "i32" if abs(value) < 2**31 else "i64"
            divisible = value % 16 == 0 and not parameter.do_not_specialize
        if divisible:
            attributes[(i,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, signature, constants, attributes)
    assembly = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=values).asm
    return {
        **assembly,
        "prefetched": len(re.findall(r"cp\.async\.c[ag]\.", assembly["ptx"])) / constants.get("stages", 1),
    }


def launches(monkeypatch, case: Case, *, dtype: torch.dtype, current_dtype: torch.dtype) -> dict[str, dict[str, str]]:
    """Run a case on the CPU with its launches compiled for an H200 instead of carried out; results are noise."""
    jit = pytest.importorskip("triton.runtime.jit")
    if os.environ.get("TRITON_INTERPRET") == "1":
        pytest.skip("Triton interprets")
    from conex_nn.kernels.gpu import adaptive, li, lif

    found = {}

    def run(self, *args, grid, warmup, **options):
        found[self.__name__] = compiled(self, args, options)

    monkeypatch.setattr(jit.JITFunction, "run", run)
    n = case.shape[-1] if case.each else 1
    current = torch.ones(case.steps, *case.shape, dtype=current_dtype)
    v, none = torch.zeros(case.shape, dtype=dtype), torch.zeros(0, dtype=dtype)
    switches = (case.pauses, case.soft, case.detach, case.spike_fn.code, 1.0, 0.5)
    if case.model == "li":
        rows = torch.ones(3, n, dtype=dtype)
        li.backward(current, li.forward(current, v, rows), v, rows, case.learn)
    elif case.model == "lif":
        rows = torch.ones(6, n, dtype=dtype)
        spikes, _, _, charged, held = lif.forward(current, v, v, rows, 1.0, *switches, True)
        lif.backward(spikes, v, charged, held, v if case.learn else None, rows, *switches, case.learn)
    else:
        rows = torch.ones(10 + 3 * case.currents, n, dtype=dtype)
        w = torch.zeros(case.currents, *case.shape, dtype=dtype)
        spikes, _, _, _, charged, held, history = adaptive.forward(
            current, v, w, none, rows, 1.0, *switches, True, case.learn and case.currents > 0
        )
        adaptive.backward(spikes, v, w, charged, held, history, v, rows, *switches, case.learn)
    return found


# What is compiled, and how many sequences forward and backward read: all are prefetched.
COMPILED = [
    (Case("li", learn=False, shape=(2, 48)), torch.float32, torch.float32, (1, 1)),
    (Case("li", shape=(2, 48)), torch.float32, torch.float32, (1, 2)),
    (Case("lif", learn=False, shape=(2, 48)), torch.float32, torch.bfloat16, (1, 2)),
    (Case("lif", pauses=True, detach=False, each=True, shape=(2, 48)), torch.float32, torch.float32, (1, 3)),
    (Case("adaptive", currents=2, soft=True, shape=(2, 48)), torch.float64, torch.float64, (1, 4)),
    (
        Case("adaptive", learn=False, pauses=True, shape=(1,), steps=1),
        torch.float32,
        torch.float32,
        (2, 6),
    ),  # two neurons each
]


@pytest.mark.parametrize(("case", "dtype", "current_dtype", "sequences"), COMPILED, ids=str)
def test_kernels_compile_for_a_device_that_is_not_there(monkeypatch, case, dtype, current_dtype, sequences):
    found = launches(monkeypatch, case, dtype=dtype, current_dtype=current_dtype)
    assert found["_forward"]["cubin"]
    assert found["_backward"]["cubin"]
    assert (found["_forward"]["prefetched"], found["_backward"]["prefetched"]) == sequences
    if case.model != "adaptive":  # its exponential has fused operations of its own
        assert "fma.rn.f" not in found["_forward"]["ptx"]


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES)
def test_kernels_are_the_step_loop_on_the_device(case):
    check(case, device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_kernels_compute_half_precision_in_single_on_the_device(dtype):
    check_half(dtype, device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("case", SOME, ids=str)
@pytest.mark.parametrize("shape", [(3, 43001), (3, 60001), (8, 1 << 16)], ids=str)
def test_blocks_of_all_sizes(case, shape):
    case = dataclasses.replace(case, shape=shape, steps=20, each=False, learn=False)
    # Triton's single-precision exponential is not torch's: among millions of steps some spikes would differ.
    check(case, device="cuda", dtype=torch.float64 if case.model == "adaptive" else torch.float32)


@pytest.mark.gpu
@pytest.mark.compile
@pytest.mark.parametrize("case", SOME, ids=str)
def test_kernels_pass_through_torch_compile(case):
    check(case, device="cuda", compiled=True)

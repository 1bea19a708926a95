"""The Triton kernels of ring buffers: by Triton's interpreter and compiler, and on the device where there is one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.kernels.test_gpu import compiled
from tests.structure import ring_cases

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def interpreted() -> dict[str, str | None]:
    """What went wrong with each check in the interpreter, which only a fresh process can choose."""
    pytest.importorskip("triton")
    done = subprocess.run(
        [sys.executable, "-m", "tests.structure.interpreted_ring"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
@pytest.mark.parametrize("name", ["network", "widths", "draws", "refusals"])
def test_interpreted_kernels_are_the_step_loop_or_the_kernel_for_the_cpu(name, interpreted):
    assert interpreted[name] is None, interpreted[name]


@pytest.mark.parametrize("real", [torch.float32, torch.float64], ids=str)
def test_kernels_compile_for_a_device_that_is_not_there(monkeypatch, real):
    jit = pytest.importorskip("triton.runtime.jit")
    if os.environ.get("TRITON_INTERPRET") == "1":
        pytest.skip("Triton interprets")
    from conex_nn.kernels.gpu import ring

    found = {}

    def run(self, *args, grid, warmup, **options):
        if self.__name__ not in found:
            found[self.__name__] = compiled(self, args, options)

    monkeypatch.setattr(jit.JITFunction, "run", run)
    cells, channels, links, probes = ring_cases.widths()
    ring.run(cells, channels, links, steps=2, batch=2, dt=1.0, real=real, before=2, probes=probes)
    assert found.keys() == {"advance", "send", "look"}
    assert all(each["cubin"] for each in found.values())
    # Sums of whole numbers do not depend on their order, as those of rounded ones would.
    assert "red.global.gpu.relaxed.add.u64" in found["send"]["ptx"]
    assert "fma.rn.f" not in found["send"]["ptx"]


class Graph:
    """What stands for a graph of CUDA: it writes down what is asked of it."""

    asked: list[str]

    def __init__(self) -> None:
        Graph.asked = []

    def capture_begin(self, *, capture_error_mode: str) -> None:
        Graph.asked.append(capture_error_mode)

    def capture_end(self) -> None:
        Graph.asked.append("end")

    def replay(self) -> None:
        Graph.asked.append("replay")


class Stream:
    def wait_stream(self, other: "Stream") -> None:
        Graph.asked.append("wait")

    def __enter__(self) -> None:
        Graph.asked.append("aside")

    def __exit__(self, *_) -> None:
        Graph.asked.append("back")


def test_launches_are_recorded_once_on_a_stream_aside(monkeypatch):
    pytest.importorskip("triton")
    from conex_nn.kernels.gpu import ring

    for name, value in {
        "CUDAGraph": Graph, "Stream": Stream, "current_stream": Stream, "stream": lambda each: each,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    replay = ring._recorded(lambda: Graph.asked.append("launches"), torch.device("cuda"))
    replay()
    replay()
    recorded = ["wait", "aside", "thread_local", "launches", "end", "back", "wait"]
    assert Graph.asked == [*recorded, "replay", "replay"]
    here = list
    assert ring._recorded(here, torch.device("cpu")) is here


@pytest.mark.gpu
def test_a_network_run_by_events_on_the_device_is_the_step_loop_on_the_cpu():
    # In the long run a last bit, in which exponentials differ, becomes a spike.
    ring_cases.check_network(device="cuda", steps=100, cut=33)


@pytest.mark.gpu
def test_weights_in_half_precision_on_the_device_are_those_of_the_step_loop():
    ring_cases.check_half()


@pytest.mark.gpu
def test_runs_on_the_device_are_the_same_each_time():
    ring_cases.check_repeats()

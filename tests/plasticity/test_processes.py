"""Two processes on parts of a batch learn what one learns on the whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from .two_processes import PARTS, run

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.plasticity.two_processes", str(folder)]
    with (folder / "log").open("w") as log:
        running = [subprocess.Popen([*command, str(r)], cwd=ROOT, env=environment, stderr=log) for r in range(2)]
        try:
            codes = [process.wait(timeout=120) for process in running]
        finally:
            for process in running:
                process.kill()
    assert codes == [0, 0], (folder / "log").read_text()
    return [torch.load(folder / f"rank{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("kind", PARTS)
def test_they_learn_what_one_learns(results, kind):
    whole = run(kind, 0, 8)
    for rank in results:
        for name, value in whole.items():
            torch.testing.assert_close(rank[kind][name], value, rtol=1e-6, atol=1e-9, msg=f"{kind} {name}")
    for name, value in results[0][kind].items():
        assert torch.equal(value, results[1][kind][name])

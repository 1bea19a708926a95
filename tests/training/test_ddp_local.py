"""Two processes on half batches learn by rules what one learns on whole ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from .local_nets import KINDS
from .two_local_processes import run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ddp_local")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.two_local_processes", str(folder), "2"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.filterwarnings("ignore:.*'val_dataloader'.*", "ignore:.*does not have many workers.*")
@pytest.mark.filterwarnings("ignore:.*validation_step.*")
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_learn_what_one_learns(folder, tmp_path, kind):
    whole = run(kind, tmp_path, processes=1)
    for rank in range(2):
        half = torch.load(folder / f"{kind}-2-{rank}.pt")
        for name, value in whole.items():
            if name.startswith("gathered"):
                continue  # what a process has seen itself
            torch.testing.assert_close(half[name], value, rtol=1e-6, atol=1e-6, msg=f"{name} of process {rank}")

"""Two processes learn one network, by gradients and by rules, and measure the whole set."""

import os
import subprocess
import sys
from pathlib import Path

import lightning as L
import pytest
import torch

from . import learn_by_rules
from .local_nets import KINDS
from .stripes import SmallNet, Stripes, classifier, trainer

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ddp")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.two_processes", str(folder)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_both_have_the_same_weights_and_have_learned(folder):
    first, second = (torch.load(folder / f"rank{rank}.pt")["weights"] for rank in range(2))
    L.seed_everything(5, verbose=False)
    start = classifier().net.state_dict()  # as both began
    assert all(not torch.equal(first[name], start[name]) for name in ("0.weight", "3.weight"))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=0)


def test_metrics_are_those_of_the_whole_set(folder):
    first, second = (torch.load(folder / f"rank{rank}.pt") for rank in range(2))
    assert first["logged"] == second["logged"]
    torch.testing.assert_close(first["confusion"], second["confusion"])
    confusion = first["confusion"]
    assert confusion.sum(1).tolist() == [4, 4, 4]  # every test sample, once
    assert first["logged"]["test/accuracy"] == pytest.approx(float(confusion.trace() / 12))
    assert first["logged"]["test/synaptic_operations"] > 0


def test_the_checkpoint_holds_the_random_state_of_both(folder, tmp_path):
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    first, second = (states["cpu"] for states in checkpoint["random_states"])
    assert first.shape == second.shape
    runner, model, data = trainer(tmp_path, max_epochs=3), classifier(SmallNet()), Stripes(batch_size=4)
    with pytest.warns(UserWarning, match="random state of 2 processes, and there are 1"):
        runner.fit(model, datamodule=data, ckpt_path=folder / "last.ckpt")


@pytest.mark.filterwarnings("ignore:.*'val_dataloader'.*", "ignore:.*validation_step.*")
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_on_half_batches_learn_by_rules_what_one_learns_on_whole_ones(folder, tmp_path, kind):
    whole = learn_by_rules.run(kind, tmp_path, processes=1)
    for rank in range(2):
        half = torch.load(folder / f"{kind}-{rank}.pt")
        for name, value in whole.items():
            if name.startswith("gathered"):
                continue  # what a process has seen itself
            torch.testing.assert_close(half[name], value, rtol=1e-6, atol=1e-6, msg=f"{name} of process {rank}")

"""The benchmark of encoding: what it counts, and what it finds in a training."""

import json

import pytest
import torch

from tasks.bench import __main__ as command
from tasks.bench import data


def test_bytes_are_those_of_images_and_spikes(tmp_path):
    (name, figures), *_ = data.measure(["latency"], images=128, rounds=1, root=tmp_path, seed=0)
    assert name == "latency"
    spikes = data.TIME * 784
    read = {case.name: figures[case.name]["bytes_read"] for case in data.CASES}
    assert read == {
        "on the device, float32": 784,
        "on the device, uint8": 784,
        "by main process, uint8": spikes,
        "by 1 worker, uint8": spikes,
        "by 2 workers, uint8": spikes,
        "by 2 workers, float32": 4 * spikes,
    }
    for f in figures.values():
        assert f["bytes_made"] == 4 * spikes
        assert f["images_per_second"] == pytest.approx(128 / f["seconds"])


def test_images_of_mnists_size(tmp_path, data_root):
    images = data._images(tmp_path, 300)
    assert images.shape == (300, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert 0.17 < (images > 0).float().mean() < 0.21  # 0.19 of MNIST


@pytest.mark.long
def test_the_command_leaves_a_report(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "waiting", lambda options: {"waiting": 0.25, "encoding": 0.5, "options": options})
    command.main("data", command.Config(quick=True, out=tmp_path, seed=4, data_root=tmp_path))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["seed"] == 4
    assert report["seconds"] > 0
    assert set(report["benchmark"]["poisson"]) == {case.name for case in data.CASES}
    shares = report["benchmark"]["waiting"]["digits, constant_current"]
    assert (shares["waiting"], shares["options"]) == (0.25, ["--encoder", "constant_current", "--seed", "4"])


def test_an_unknown_case_is_refused():
    with pytest.raises(ValueError, match="Expected `cases` to be among poisson, latency, got laten"):
        command.main("data", command.Config(cases=("laten",)))


def test_a_training_that_fails_is_told(tmp_path, monkeypatch):
    program = tmp_path / "python"  # in place of the real one, which takes seconds to refuse an option
    program.write_text('#!/bin/sh\necho "refused: $*" >&2\nexit 2\n')
    program.chmod(0o700)
    monkeypatch.setattr(data.sys, "executable", str(program))
    with pytest.raises(
        RuntimeError, match=r"Expected tasks.classify to run, got.*\nrefused: -m tasks.classify.*no_such"
    ):
        data.waiting(options=["--no_such", "1"])

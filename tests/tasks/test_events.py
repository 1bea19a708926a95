"""The task of events: on simulated recordings, and on N-MNIST."""

import json

import pytest
import torch

import conex_nn as cx
from tasks.events.moving_digits import SIDE, moving_digits, simulate
from tasks.events.run import Config, load, main

PICTURES = {"recordings.png", "cloud.png", "decisions.png", "confusion.png", "learning.png", "raster.png"}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.long
def test_it_learns_from_simulated_recordings_and_leaves_a_report_and_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.events.run.STAND_IN", (400, 80))
    config = Config(data_root=tmp_path, epochs=5, time=4, window=80.0, channels=8, validation=40, lr=1e-2, out=tmp_path)
    metrics = main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(metrics["test/accuracy"])
    assert report["accuracy"] > 0.5  # chance is 0.1
    assert report["data"].startswith("simulated")
    assert report["samples"] == 80
    assert 0 < report["validation_accuracy"] <= 1
    assert report["seconds"] > 0
    assert report["config"]["channels"] == 8
    assert {path.name for path in tmp_path.iterdir()} >= PICTURES


def test_it_takes_the_recordings_that_are_there(data_root):
    data, source = load(Config(data_root=data_root))
    assert source == "N-MNIST, nmnist_small.npz"
    assert [len(part) for part in data.splits()] == [850, 150, 100]
    assert load(Config(data_root=data_root / "nmnist_small.npz"))[1] == source


def test_a_simulated_pixel_fires_when_it_becomes_brighter_or_darker():
    image = torch.zeros(1, 20, 20)
    image[:, :, 8:12] = 1.0  # a vertical bar
    events = simulate(image, generator=generator(), noise=0.0)
    first = cx.encoders.events.crop_time(events, stop=60.0)
    # The view goes to the right, so the bar goes to the left: brighter before it, darker behind it.
    off, on = (part.x.float().mean() for part in cx.encoders.events.split_polarity(first))
    assert on < 18 < off
    assert len(simulate(torch.zeros(1, 20, 20), generator=generator(), noise=0.0).t) == 0


def test_noise_has_its_rate():
    events = simulate(torch.zeros(4, 20, 20), generator=generator(), noise=5.0)
    assert len(events.t) / (4 * SIDE**2 * 0.3) == pytest.approx(5.0, rel=0.05)
    assert float(events.p.float().mean()) == pytest.approx(0.5, abs=0.05)


def test_simulated_parts_hold_different_digits_and_are_seeded():
    train, test = moving_digits(12, 4, generator=generator())
    assert (len(train), len(test)) == (12, 4)
    again, _ = moving_digits(12, 4, generator=generator())
    other, _ = moving_digits(12, 4, generator=generator(1))
    assert torch.equal(train.events.t, again.events.t)
    assert train.labels.tolist() != other.labels.tolist()


def test_unsuitable_options():
    with pytest.raises(ValueError, match="`hidden` to be at least 1, got 0"):
        Config(hidden=0)

"""tasks.classify by rules alone, by reward, and by rules and gradients."""

import json

import pytest
import torch

import tasks.classify
from tasks.classify import RECIPES, competing, verdict, votes


@pytest.mark.parametrize(
    ("learning", "least"),
    [
        pytest.param("stdp", 0.5, marks=pytest.mark.long),
        pytest.param("rstdp", 0.4, marks=pytest.mark.long),
        ("hybrid", 0.4),
    ],
)
def test_each_way_to_learn_leaves_a_report(tmp_path, learning, least):
    size = {"hidden": 64, "time": 4, "lr": 1e-2, "epochs": 2} if learning == "hybrid" else {"hidden": 60, "epochs": 1}
    metrics = tasks.classify.main(tasks.classify.Config(learning=learning, out=tmp_path, **size))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(metrics["test/accuracy"])
    assert report["accuracy"] > least  # chance is 0.1
    assert report["config"]["learning"] == learning
    assert {"confusion.png", "raster.png"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("modulator", [None, "reward"])
def test_one_neuron_wins_each_image(modulator):
    torch.manual_seed(0)
    net = competing(RECIPES["digits", "stdp"], (1, 4, 4), modulator=modulator)
    image = torch.rand(6, 16)
    before = net.weights.weight.clone()
    out, _ = net(torch.cat([image, 1 - image], 1).expand(20, 6, 32))
    assert out.sum() > 0
    assert ((out.sum(0) > 0).sum(1) <= 1).all()
    assert torch.equal(net.weights.weight, before) == (modulator is not None)  # which waits for its reward


def test_votes_are_counted_by_class():
    outputs = torch.zeros(3, 2, 6)
    outputs[:, 0, 2] = 1
    outputs[1, 1, 4:] = 1
    assert votes(outputs, 3).tolist() == [[0, 3, 0], [0, 0, 2]]
    assert verdict(outputs, torch.tensor([1, 0]), 3).tolist() == [1, -1]

"""The network of Diehl and Cook: what it reports, and that a batch learns what its images learn one by one."""

import dataclasses
import json

import pytest
import torch

import conex_nn as cx
from tasks import diehl_cook


def test_it_leaves_a_report_its_network_and_what_cells_stand_for(tmp_path):
    config = diehl_cook.Config(neurons=30, time=25, epochs=1, batch_size=64, labelled=500, out=tmp_path, seed=1)
    metrics = diehl_cook.main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(metrics["test/accuracy"])
    assert report["accuracy"] > 0.3  # chance is 0.1
    assert report["validation_accuracy"] == pytest.approx(metrics["val/accuracy"])
    assert sum(report["cells_per_class"]) + report["silent_cells"] == 30
    assert report["seconds"] > report["seconds_of"]["learning"] > 0
    assert report["config"]["neurons"] == 30
    assert report["seed"] == 1
    assert {"confusion.png", "raster.png", "fields.png"} <= {path.name for path in tmp_path.iterdir()}
    net = cx.structure.load(tmp_path / "network")
    assert net["exc"].behaviors["threshold"].theta.sum() > 0
    weight = net.connections["fields"].only.synapse.weight
    torch.testing.assert_close(weight.sum(1), torch.full((30,), diehl_cook.RECIPES["digits"].total))


def learned(batch, x):
    recipe = dataclasses.replace(diehl_cook.RECIPES["digits"], a_minus=0.0)
    torch.manual_seed(0)
    net = diehl_cook.build(diehl_cook.Config(neurons=10, batch_size=batch), recipe, (1, 8, 8))
    with torch.no_grad():
        net(x.expand(-1, batch, -1, -1, -1))
    return net["exc"].behaviors["threshold"].theta, net


def test_a_batch_of_equals_raises_thresholds_as_often_as_each_of_them_would():
    x = torch.zeros(12, 1, 1, 8, 8)
    x[0] = 1  # one spike of one cell
    one, net = learned(1, x)
    four, _ = learned(4, x)
    assert (one > 0).sum() == 1
    torch.testing.assert_close(four, 4 * one, rtol=1e-3, atol=0)
    net.eval()
    with torch.no_grad():
        net(x)
    assert torch.equal(net["exc"].behaviors["threshold"].theta, one)


def test_thresholds_of_more_cells_reach_the_same_height():
    recipe, heights = diehl_cook.MNIST, []
    for neurons in (100, 400, 1600):
        net = diehl_cook.build(diehl_cook.Config(neurons=neurons), recipe, (1, 28, 28))
        threshold = net["exc"].behaviors["threshold"]
        heights.append(threshold.increment * threshold.tau / neurons)  # of as many spikes in all, in the long run
    torch.testing.assert_close(torch.cat(heights), heights[1].expand(3))
    assert heights[1].item() == pytest.approx(recipe.rise * recipe.tau_threshold / recipe.neurons)


def test_no_label_comes_from_validation_or_test_images(tmp_path, monkeypatch):
    seen = []
    update = cx.training.LabelAssignment.update

    def watch(self, responses, labels):
        seen.append(labels)
        update(self, responses, labels)

    monkeypatch.setattr(cx.training.LabelAssignment, "update", watch)
    diehl_cook.main(diehl_cook.Config(neurons=5, time=2, epochs=1, batch_size=647, out=tmp_path))
    train = len(cx.data.Digits(seed=0).splits().train)
    assert sum(map(len, seen)) == 2 * train  # while it learns, and after


def test_bad_numbers():
    for name in ("neurons", "batch_size", "epochs", "time", "labelled"):
        with pytest.raises(ValueError, match=f"Expected `{name}` to be at least 1, got 0"):
            diehl_cook.Config(**{name: 0})

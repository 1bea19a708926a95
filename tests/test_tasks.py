"""Each task runs, and leaves a report that says what was done."""

import dataclasses
import json
import time

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

import conex_nn as cx
import tasks.classify
import tasks.cortex
from conex_nn.kernels import lif
from tasks.bench import column
from tasks.bench.elapsed import Elapsed
from tasks.bench.measure import compare
from tasks.bench.suite import SUITES
from tasks.bench.train import CONTESTANTS, Case
from tasks.command_line import parse


def test_classify_leaves_a_report(tmp_path):
    config = tasks.classify.Config(epochs=4, hidden=32, time=4, batch_size=32, lr=1e-2, out=tmp_path, seed=3)
    metrics = tasks.classify.main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(metrics["test/accuracy"])
    assert report["accuracy"] > 0.5  # chance is 0.1
    assert report["seconds"] > 0
    assert report["seed"] == 3
    assert report["config"]["hidden"] == 32
    assert 0 < report["input"]["waiting"] < 0.5
    assert 0 < report["input"]["encoding"] < 0.5
    assert {"python", "torch", "lightning", "snntorch", "conex_nn"} <= set(report["versions"])
    assert {"confusion.png", "raster.png"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.long
def test_cortex_leaves_a_report_and_its_network(tmp_path):
    config = tasks.cortex.Config(epochs=2, excitatory=40, inhibitory=10, time=6, out=tmp_path, seed=1)
    metrics = tasks.cortex.main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(metrics["test/accuracy"])
    assert report["accuracy"] > 0.5  # chance is 0.1
    assert {"network.png", "confusion.png", "raster.png"} <= {path.name for path in tmp_path.iterdir()}
    column = cx.structure.load(tmp_path / "network")["v1"]
    assert sum(population.shape.numel() for population in column.populations().values()) == 3 * 50


class _StopsAfterOneEpoch(ModelCheckpoint):
    __qualname__ = "ModelCheckpoint"  # by which a checkpoint knows its callbacks

    def on_train_epoch_end(self, trainer, pl_module):
        super().on_train_epoch_end(trainer, pl_module)
        trainer.should_stop = True


@pytest.mark.long
def test_classify_interrupted_and_resumed_is_classify_uninterrupted(tmp_path, monkeypatch):
    config = {"epochs": 2, "hidden": 16, "time": 3, "batch_size": 128, "encoder": "poisson"}
    tasks.classify.main(tasks.classify.Config(out=tmp_path / "whole", **config))
    with monkeypatch.context() as patch:
        patch.setattr(tasks.classify, "ModelCheckpoint", _StopsAfterOneEpoch)
        tasks.classify.main(tasks.classify.Config(out=tmp_path / "half", **config))
    half = tmp_path / "half" / "last.ckpt"
    assert torch.load(half, weights_only=True)["epoch"] == 0
    tasks.classify.main(tasks.classify.Config(out=tmp_path / "resumed", resume=half, **config))
    whole, resumed = (torch.load(tmp_path / run / "last.ckpt", weights_only=True) for run in ("whole", "resumed"))
    assert whole["epoch"] == resumed["epoch"] == 1
    for name, weight in whole["state_dict"].items():
        assert torch.equal(weight, resumed["state_dict"][name]), name


@pytest.mark.parametrize("model", ["mlp", "conv"])
def test_classify_builds_both_models(model):
    for data, shape in [("digits", (1, 8, 8)), ("mnist", (1, 28, 28)), ("mnist", (3, 30, 31))]:
        net = tasks.classify.build(model, tasks.classify.RECIPES[data, model], shape, 10)
        assert net(torch.rand(3, 2, *shape))[0].shape == (3, 2, 10)


def test_classify_names_what_it_does_not_know(tmp_path):
    with pytest.raises(ValueError, match=r"Expected `name` to be one of .*'mnist'"):
        tasks.classify.main(tasks.classify.Config(data="mnits", out=tmp_path))
    with pytest.raises(ValueError, match="`epochs` to be at least 1"):
        tasks.classify.Config(epochs=0)


def test_jitter_moves_each_image_by_itself():
    images = torch.zeros(2, 1, 9, 9)
    images[:, :, 4, 4] = 1
    moved = tasks.classify.jitter(images, degrees=0.0, shift=0.3, scale=0.0)
    assert not torch.allclose(moved[0], moved[1])
    torch.testing.assert_close(tasks.classify.jitter(images, degrees=0.0, shift=0.0, scale=0.0), images)


def test_mirror_turns_some_images():
    images = torch.rand(20, 1, 3, 4)
    mirrored = tasks.classify.mirror(images)
    turned = [torch.equal(a, b.flip(-1)) for a, b in zip(mirrored, images, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(mirrored, images, strict=True)]
    assert any(turned)
    assert any(kept)
    assert all(t != k for t, k in zip(turned, kept, strict=True))


@pytest.mark.parametrize("name", ["products", "conex_nn", "snntorch"])
def test_bench_contestants_do_a_step(name):
    CONTESTANTS[name](Case(name="tiny", time=3, batch=2, hidden=4))()
    CONTESTANTS[name](Case(name="tiny", time=2, batch=2, hidden=2, conv=True))()


def test_the_passes_of_the_benchmark_take_less_than_the_layer(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    step, launch = CONTESTANTS["scan"](Case(name="tiny", time=3, batch=2, hidden=4)), lif.launch
    step()
    begin = time.perf_counter()
    passes = step()
    assert isinstance(passes, Elapsed)
    assert 0 < passes < time.perf_counter() - begin
    assert lif.launch is launch


@pytest.mark.long
def test_bench_compares():
    few = {name: CONTESTANTS[name] for name in ("products", "conex_nn")}
    suite = dataclasses.replace(SUITES["train"], contestants=few)
    report = dict(compare(suite, cases=["small"], rounds=1, steps=1, seed=1))
    assert set(report["small"]) == set(few)
    assert report["small"]["conex_nn"]["milliseconds"] > 0


@pytest.mark.parametrize("learn", [False, True])
def test_the_column_of_the_benchmark_fires_as_it_should(learn):
    torch.manual_seed(0)
    rate = column.CONTESTANTS["conex_nn"](column.Column(name="tiny", batch=4, learn=learn))()
    assert 0.02 < rate < 0.1
    column.CONTESTANTS["products"](column.Column(name="tiny", batch=2, time=3, learn=learn))()


def test_options_take_dashes_and_underscores():
    config = parse(tasks.classify.Config, ["--data-root", "/a-b", "--batch_size=8", "--data=fashion-mnist"])
    assert (str(config.data_root), config.batch_size, config.data) == ("/a-b", 8, "fashion-mnist")
    assert not parse(tasks.classify.Config, ["--augment=false"]).augment
    assert parse(tasks.classify.Config, ["--augment"]).augment


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse(tasks.classify.Config, ["--epoch-count", "3"])
    assert "epoch_count" in capsys.readouterr().err

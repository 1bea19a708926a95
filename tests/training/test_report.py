"""What a test leaves behind."""

import json
from dataclasses import dataclass

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from torch import nn

import conex_nn as cx
from conex_nn.training import Report, SpikingClassifier
from conex_nn.training.report_contents import contents
from conex_nn.training.report_table import table

from .stripes import Stripes, classifier, trainer


@dataclass(frozen=True, kw_only=True)
class Config:
    hidden: int = 12


def test_fit_validate_test_and_report(tmp_path, capsys):
    L.seed_everything(3, verbose=False)
    out = tmp_path / "deep" / "out"
    saving = ModelCheckpoint(dirpath=tmp_path, monitor="val/accuracy", mode="max")
    report = Report(out, config=Config())
    model = classifier()
    runner = trainer(tmp_path, max_epochs=3, callbacks=[report, saving], enable_checkpointing=True)
    runner.fit(model, datamodule=Stripes())
    runner.validate(model, datamodule=Stripes(), verbose=False)
    (logged,) = runner.test(model, datamodule=Stripes(), ckpt_path="best", verbose=False)
    written = json.loads((out / "report.json").read_text())
    assert written["accuracy"] == logged["test/accuracy"]
    assert written["latency"] == logged["test/latency"]
    assert written["rate"] == {"1": logged["test/rate/1"]}
    assert written["per_class"].keys() == {"left", "middle", "right"}
    assert sum(written["per_class"].values()) / 3 == pytest.approx(written["accuracy"])
    assert written["samples"] == 12
    assert written["parameters"] == sum(p.numel() for p in model.net.parameters())
    assert (written["config"], written["seed"], written["epochs"]) == ({"hidden": 12}, 3, 3)
    assert written["versions"]["torch"] == torch.__version__
    assert 0 < written["seconds"] < 100
    assert [epoch["epoch"] for epoch in written["history"]] == [0, 1, 2]
    assert {"train/loss", "train/accuracy", "val/loss", "val/accuracy"} <= written["history"][0].keys()
    for name in ("confusion.png", "raster.png", "learning.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
        assert (out / name).stat().st_size > 5000
    printed = capsys.readouterr().out
    for text in ("accuracy", "firing rate of 1", "synaptic operations", f"{written['accuracy']:.2%}"):
        assert text in printed


def test_a_test_alone_and_without_printing(tmp_path, capsys):
    net = cx.Sequential(nn.Linear(6, 3), cx.LI())  # nothing spikes but the input
    report = Report(tmp_path, show=False)
    trainer(tmp_path, callbacks=[report]).test(classifier(net), datamodule=Stripes(), verbose=False)
    assert {path.name for path in tmp_path.glob("*.png")} == {"confusion.png", "raster.png"}
    assert json.loads((tmp_path / "report.json").read_text())["rate"] == {}
    assert capsys.readouterr().out == ""


def test_history_without_validation_in_every_epoch(tmp_path):
    report = Report(tmp_path)
    runner = trainer(tmp_path, max_epochs=3, check_val_every_n_epoch=2, callbacks=[report])
    runner.fit(classifier(), datamodule=Stripes())
    assert ["val/loss" in epoch for epoch in report.history] == [False, True, False]


def test_history_goes_on_after_resuming(tmp_path):
    runner = trainer(tmp_path, max_epochs=1, callbacks=[Report(tmp_path)])
    runner.fit(classifier(), datamodule=Stripes())
    runner.save_checkpoint(tmp_path / "first.ckpt")
    report = Report(tmp_path)
    runner = trainer(tmp_path, max_epochs=2, callbacks=[report])
    runner.fit(classifier(), datamodule=Stripes(), ckpt_path=tmp_path / "first.ckpt")
    assert [epoch["epoch"] for epoch in report.history] == [0, 1]


def test_of_another_module(tmp_path):
    with pytest.raises(TypeError, match="to see a SpikingClassifier, got BoringModel"):
        trainer(tmp_path, callbacks=[Report(tmp_path)], limit_test_batches=1).test(BoringModel(), verbose=False)


def test_a_layer_that_tells_nothing_is_a_note():
    model = SpikingClassifier(cx.Sequential(nn.Linear(4, 2), cx.LIF()), num_classes=2, dt=2.0)
    logged = {"test/rate/a": 0.0, "test/rate/b": 450.0, "test/rate/c": 20.0}
    report = contents(model, logged, class_names=["x", "y"], seconds=1.0, config={}, history=[])
    assert [note.partition(":")[0] for note in report["notes"]] == ["a is silent", "b fires in 90% of all steps"]
    assert table(report).caption == "\n".join(report["notes"])
    quiet = contents(model, {"test/rate/c": 20.0}, class_names=["x", "y"], seconds=1.0, config={}, history=[])
    assert "notes" not in quiet

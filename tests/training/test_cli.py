"""LightningCLI: a run from a YAML file."""

import json

import pytest
import torch
import yaml
from lightning.pytorch.cli import LightningCLI

import conex_nn as cx
from conex_nn.training import RateTarget, SpikingClassifier, first_spike, mean_membrane

from .stripes import CLASSES, SmallNet, Stripes

QUIET = {
    "accelerator": "cpu",
    "devices": 1,
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
MODEL = {
    "net": {"class_path": "tests.training.stripes.SmallNet", "init_args": {"hidden": 9}},
    "num_classes": CLASSES,
    "decode": "conex_nn.training.mean_membrane",
    "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.02}},
}


@pytest.fixture(autouse=True)
def command_line(monkeypatch):
    monkeypatch.setattr("sys.argv", ["main.py"])  # what pytest was called with is not for the command line under test
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # Lightning 2.6 uses names that it has deprecated


def run(tmp_path, command, model, **trainer):
    config = {"seed_everything": 3, "model": model, "data": {"time": 6}}
    config["trainer"] = {**QUIET, "default_root_dir": str(tmp_path), **trainer}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    return LightningCLI(
        SpikingClassifier, Stripes, args=[*command, f"--config={tmp_path / 'run.yaml'}"],
        save_config_kwargs={"overwrite": True},
    )  # fmt: skip


def test_fit_from_yaml(tmp_path):
    cli = run(tmp_path, ["fit"], MODEL, fast_dev_run=True)
    assert isinstance(cli.model.net, SmallNet)
    assert cli.model.net[0].out_features == 9
    assert cli.model.decode is mean_membrane
    optimizer = cli.model.optimizers()
    assert isinstance(optimizer.optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 0.02


def test_everything_from_yaml(tmp_path):
    model = {
        **MODEL,
        "decode": "conex_nn.training.first_spike",
        "loss": {"class_path": "torch.nn.CrossEntropyLoss", "init_args": {"label_smoothing": 0.1}},
        "scheduler": {"class_path": "torch.optim.lr_scheduler.OneCycleLR", "init_args": {"max_lr": 0.1}},
        "regularisers": {
            "rates": {"class_path": "conex_nn.training.RateTarget", "init_args": {"rate": 10.0, "layers": ["1"]}}
        },
    }
    report = {"class_path": "conex_nn.training.Report", "init_args": {"out_dir": str(tmp_path / "out")}}
    cli = run(tmp_path, ["fit"], model, max_epochs=2, callbacks=[report])
    assert cli.model.decode is first_spike
    assert cli.model.loss.label_smoothing == 0.1
    assert isinstance(cli.model.regularisers["rates"], RateTarget)
    assert cli.model.lr_schedulers().total_steps == 6
    cli.trainer.test(cli.model, datamodule=cli.datamodule, verbose=False)
    assert "accuracy" in json.loads((tmp_path / "out" / "report.json").read_text())
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    assert torch.load(checkpoint, weights_only=True)["hyper_parameters"]["num_classes"] == CLASSES


def test_our_data_modules_from_yaml(tmp_path):
    """An encoder by its class: a callable whose result were a tensor would be a factory to jsonargparse."""
    data = {
        "encoder": {"class_path": "conex_nn.encoders.Poisson", "init_args": {"time": 3}}, "batch_size": 64,
        "augment": "torch.nn.functional.relu",
    }  # fmt: skip
    net = {"class_path": "tests.training.stripes.DigitsNet"}
    model = {**MODEL, "num_classes": 10, "net": net}
    config = {"model": model, "data": data, "trainer": {**QUIET, "default_root_dir": str(tmp_path)}}
    config["trainer"]["fast_dev_run"] = True
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    cli = LightningCLI(SpikingClassifier, cx.data.Digits, args=["fit", f"--config={tmp_path / 'run.yaml'}"])
    assert isinstance(cli.datamodule.encoder, cx.encoders.Poisson)
    assert cli.datamodule.augment is torch.nn.functional.relu
    assert "train/loss" in cli.trainer.callback_metrics


def test_an_unknown_option(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, ["fit"], {**MODEL, "num_clases": 3}, fast_dev_run=True)
    assert "num_clases" in capsys.readouterr().err

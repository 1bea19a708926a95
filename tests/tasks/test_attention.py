"""tasks.attention: what and where."""

import json

import pytest
import torch

import conex_nn as cx
import tasks.attention.run
from tasks.attention.run import Config, build, scenes


@pytest.mark.long
def test_attention_leaves_a_report_with_both_figures(tmp_path):
    config = Config(epochs=1, rows=2, columns=2, cells=40, look_time=2, batch_size=64, out=tmp_path, seed=4)
    metrics = tasks.attention.run.main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(metrics["test/accuracy"])
    assert report["where/accuracy"] == pytest.approx(metrics["test/where/accuracy"])
    assert report["seed"] == 4
    assert report["seconds"] > 0
    pictures = {"scenes.png", "where.png", "confusion.png", "raster.png", "learning.png"}
    assert pictures <= {path.name for path in tmp_path.iterdir()}


def test_paths_see_what_they_say():
    net = build(Config(cells=10, rows=2, columns=3), (1, 8, 8), 10)
    ends = {(c.source, c.target, c.compartment) for c in net.all_connections().values()}
    assert ("retina.location", "dorsal", "proximal") in ends
    assert ("dorsal", "ventral", "apical") in ends
    assert not any(target == "ventral" and source.startswith("retina") for source, target, _ in ends)
    inputs = {"retina.sensory": torch.rand(5, 2, 1, 8, 8), "retina.location": torch.rand(5, 2, 2, 3)}
    out, _ = net(inputs, outputs=["what", "where"])
    assert out["what"].shape == (5, 2, 10)
    assert out["where"].shape == (5, 2, 6)


@pytest.mark.parametrize(("hide", "least"), [("nothing", 0), ("block", 1), ("quarter", 4)])
def test_scenes_hide_what_they_say(hide, least):
    data = scenes(Config(hide=hide, rows=1, columns=1))
    scene, _ = data.scene(torch.ones(3, 1, 8, 8))
    assert (scene == 0).sum((1, 2, 3)).tolist() == [4 * least] * 3


def test_a_look_is_a_few_steps_and_silence():
    data = scenes(Config(rows=2, columns=2, look_time=3, silence=2))
    data.setup()
    inputs, _ = data.on_after_batch_transfer(next(iter(data.val_dataloader())), 0)
    location = inputs["retina.location"]
    assert location.shape[1] == 4 * 5
    assert location[0].sum((1, 2)).tolist() == [1.0, 1.0, 1.0, 0.0, 0.0] * 4
    assert not inputs["retina.sensory"][0, 3:5].any()


def test_numbers_below_one_are_refused():
    for name in ("epochs", "rows", "columns", "look_time", "cells", "batch_size"):
        with pytest.raises(ValueError, match=f"Expected `{name}` to be at least 1, got 0."):
            Config(**{name: 0})
    assert isinstance(scenes(Config()), cx.data.WhatWhere)

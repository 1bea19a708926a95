"""A network with two inputs and two readouts under a Trainer."""

import json
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.data import TensorDataModule, WhatWhere
from conex_nn.encoders import ConstantCurrent, InTurn
from conex_nn.training import ActivityImages, Head, Report, SpikingClassifier, mean_membrane

from .stripes import images, trainer

WHERE = Head(num_classes=4, readout="where", decode=mean_membrane)


def net():
    """Sees and is told where; tells what and where."""

    def cells(n):
        return cx.Population(n, cx.LIF(tau_mem=2.0, resistance=2.0, spike_fn=cx.surrogate.atan(alpha=2.0)))

    def evidence(n):
        return cx.Population(n, cx.LI(tau_mem=2.0, resistance=2.0))

    made = cx.Neocortex(
        retina=cx.InputLayer(1, 1, 6, location=(2, 2)), it=cells(30), pp=cells(30), what=evidence(3), where=evidence(4)
    )
    for source, target in [("retina.sensory", "it"), ("retina.sensory", "pp"), ("retina.location", "pp")]:
        made.connect(source, target, cx.Dense, latency=0, gain=3.0)
    made.connect("it", "what", cx.Dense, latency=0)
    made.connect("pp", "where", cx.Dense, latency=0)
    return made


def classifier(*, heads=None, made=None):
    return SpikingClassifier(
        net() if made is None else made,
        num_classes=3,
        readout="what",
        decode=mean_membrane,
        heads={"where": WHERE} if heads is None else heads,
        optimizer=partial(torch.optim.Adam, lr=0.02),
    )


def data():
    x, labels = images(120)
    stripes = TensorDataModule(x.view(-1, 1, 1, 6), labels, test=24, validation=24, batch_size=12)
    encoder = InTurn(ConstantCurrent(2))
    return WhatWhere(stripes, rows=2, columns=2, encoder=encoder, location_encoder=encoder)


def batch():
    x = {"retina.sensory": torch.rand(5, 8, 1, 1, 6), "retina.location": torch.rand(5, 8, 2, 2)}
    return x, {"what": torch.tensor([0, 1, 2, 0, 1]), "where": torch.tensor([3, 2, 1, 0, 3])}


@pytest.mark.long
def test_what_and_where_are_learned_and_reported(tmp_path):
    torch.manual_seed(0)
    model, scenes = classifier(), data()
    runner = trainer(tmp_path, max_epochs=30, callbacks=[Report(tmp_path, show=False)])
    runner.fit(model, datamodule=scenes)
    assert {"train/where/accuracy", "val/where/accuracy", "val/accuracy"} <= runner.callback_metrics.keys()
    (logged,) = runner.test(model, datamodule=scenes, verbose=False)
    assert logged["test/accuracy"] > 0.9  # chance is a third
    assert logged["test/where/accuracy"] > 0.9  # chance is a quarter
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(logged["test/accuracy"])
    assert report["where/accuracy"] == pytest.approx(logged["test/where/accuracy"])
    assert report["samples"] == 24
    assert (tmp_path / "raster.png").stat().st_size > 5000
    assert runner.predict(model, datamodule=scenes)[0].shape == (12, 3)


def test_pictures_of_inputs_by_address_and_without_padding(tmp_path):
    x, labels = batch()
    lengths = torch.tensor([3, 8, 2, 8, 1])
    loader = torch.utils.data.DataLoader([(x, labels, lengths)], batch_size=None)
    pictures = ActivityImages(tmp_path)
    trainer(tmp_path, max_epochs=1, callbacks=[pictures]).fit(classifier(), loader)
    assert (tmp_path / "raster-1.png").stat().st_size > 5000
    assert {address: tuple(each.shape[:2]) for address, each in pictures._sample.items()} == {
        "retina.sensory": (1, 3),
        "retina.location": (1, 3),
    }


def test_losses_add_up():
    model = classifier(heads={"where": Head(num_classes=4, readout="where", decode=mean_membrane, weight=0.5)})
    x, labels = batch()
    model.log = lambda *_, **__: None
    found = model.training_step((x, labels), 0)
    out, _ = model.net({address: each.movedim(0, 1) for address, each in x.items()})
    what = F.cross_entropy(out["what"].mean(0), labels["what"])
    where = F.cross_entropy(out["where"].mean(0), labels["where"])
    assert_close(found, what + 0.5 * where)
    right = (out["where"].mean(0).argmax(1) == labels["where"]).float().mean()
    assert_close(model.heads.metrics("train")["where/accuracy"].compute(), right)


def test_each_head_teaches_what_leads_to_it():
    model = classifier()
    model.log = lambda *_, **__: None
    model.training_step(batch(), 0).backward()
    gradients = {name: p.grad.abs().sum() > 0 for name, p in model.net.named_parameters()}
    assert all(gradients.values()), gradients


def test_a_chain_has_heads_too():
    chain = cx.Sequential(nn.Linear(6, 8), cx.LIF(tau_mem=2.0), nn.Linear(8, 3), cx.LI())
    head = Head(num_classes=8, readout="1")
    model = SpikingClassifier(chain, num_classes=3, decode=mean_membrane, heads={"hidden": head})
    model.log = lambda *_, **__: None
    x = torch.rand(4, 5, 6) * 4
    labels = {"class": torch.tensor([0, 1, 2, 0]), "hidden": torch.tensor([7, 0, 1, 2])}
    loss = model.training_step((x, labels), 0)
    hidden, _ = chain[:2](x.movedim(0, 1))
    scores, _ = chain(x.movedim(0, 1))
    assert_close(
        loss, F.cross_entropy(scores.mean(0), labels["class"]) + F.cross_entropy(hidden.sum(0), labels["hidden"])
    )


def test_a_head_reads_a_layer_that_ran_over_time_and_batch_together():
    chain = cx.Sequential(nn.Flatten(), nn.Linear(6, 8), cx.LIF(tau_mem=2.0), nn.Linear(8, 3), cx.LI())
    head = Head(num_classes=8, readout="1", decode=mean_membrane)
    model = SpikingClassifier(chain, num_classes=3, decode=mean_membrane, heads={"hidden": head})
    model.log = lambda *_, **__: None
    x = torch.rand(4, 5, 6)
    labels = {"class": torch.tensor([0, 1, 2, 0]), "hidden": torch.tensor([7, 0, 1, 2])}
    scores, _ = chain(x.movedim(0, 1))
    hidden = chain[1](x).mean(1)
    expected = F.cross_entropy(scores.mean(0), labels["class"]) + F.cross_entropy(hidden, labels["hidden"])
    assert_close(model.training_step((x, labels), 0), expected)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8])
def test_labels_of_any_integer_type(dtype):
    model = classifier()
    model.log = lambda *_, **__: None
    x, labels = batch()
    expected = model.training_step((x, labels), 0)
    assert_close(model.training_step((x, {name: each.to(dtype) for name, each in labels.items()}), 0), expected)


def test_inputs_by_address_need_no_heads(tmp_path):
    model = classifier(heads={})
    x, labels = batch()
    assert model(x).shape == (5, 3)
    assert_close(
        model({address: each > 0.5 for address, each in x.items()}), model({a: (e > 0.5).float() for a, e in x.items()})
    )
    loader = torch.utils.data.DataLoader([(each, label) for each, label in zip(_rows(x), labels["what"], strict=True)])
    trainer(tmp_path, fast_dev_run=True).fit(model, loader)


def _rows(x):
    return [{address: each[index] for address, each in x.items()} for index in range(5)]


def _with(part, **changes):
    x, labels = batch()
    return ({**x, **changes}, labels) if part == "x" else (x, {**labels, **changes})


@pytest.mark.parametrize(
    ("made", "error", "message"),
    [
        (
            (batch()[0], batch()[1]["what"]),
            TypeError,
            "Expected `labels` by name, for the heads 'where' and .* got Tensor",
        ),
        (
            (batch()[0], {"where": batch()[1]["where"]}),
            ValueError,
            "under one more name the classifier's own, got those",
        ),
        (_with("labels", how=torch.zeros(5).long()), ValueError, "got those of 'what', 'where', 'how'"),
        (
            _with("labels", where=torch.zeros(4).long()),
            ValueError,
            "equally many samples, got 5 of 'what' and 4 of 'where'",
        ),
        (_with("labels", where=torch.full((5,), 4)), ValueError, r"`labels\['where'\]` to be from 0 to 3"),
        (_with("labels", where=[0] * 5), TypeError, r"`labels\['where'\]` to be a tensor, got list"),
        (_with("labels", what=[0] * 5), TypeError, r"`labels\['what'\]` to be a tensor, got list"),
        (_with("labels", where=torch.zeros(5)), TypeError, r"`labels\['where'\]` to be class indices"),
        (
            _with("labels", where=torch.zeros(5, 2).long()),
            ValueError,
            r"one class index per sample, got shape \(5, 2\)",
        ),
        (_with("x", **{"retina.location": torch.zeros(4, 8, 2, 2)}), ValueError, "to hold equally many samples"),
        (
            _with("x", **{"retina.location": torch.full((5, 8, 2, 2), torch.nan)}),
            ValueError,
            "`x` to be finite, got NaN",
        ),
        (_with("x", **{"retina.location": torch.zeros(5, 7, 2, 2)}), ValueError, "inputs of equal length and batch"),
        (
            _with("x", retina=torch.zeros(5, 8, 1, 1, 6), eye=torch.zeros(5, 8, 1)),
            ValueError,
            "got one for 'eye'",
        ),
        (({}, batch()[1]), TypeError, "Expected a batch to be two tensors"),
    ],
)
def test_unsuitable_batches(made, error, message):
    with pytest.raises(error, match=message):
        classifier().training_step(made, 0)


def test_unsuitable_heads():
    with pytest.raises(ValueError, match=r"Expected `num_classes` to be at least 2 \[1\], got 1."):
        Head(num_classes=1, readout="where")
    with pytest.raises(ValueError, match=r"Expected `weight` to be positive \[1\], got 0.0."):
        Head(num_classes=2, readout="where", weight=0.0)
    with pytest.raises(ValueError, match="there is no 'wher'"):
        classifier(heads={"where": Head(num_classes=4, readout="wher")})
    with pytest.raises(ValueError, match=r"Expected the names of `heads` to be without dots, got 'a.b'."):
        classifier(heads={"a.b": WHERE})
    wide = classifier(heads={"where": Head(num_classes=5, readout="where")})
    wide.log = lambda *_, **__: None
    with pytest.raises(ValueError, match="at least as many outputs as classes, 5, got 4"):
        wide.training_step(batch(), 0)


def test_a_sample_by_address_is_drawn(tmp_path):
    images = ActivityImages(tmp_path / "pictures")
    trainer(tmp_path, max_epochs=1, callbacks=[images]).fit(classifier(), datamodule=data())
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["raster-1.png", "rates-1.png"]

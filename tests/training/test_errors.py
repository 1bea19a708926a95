"""What a user gets wrong, and what is said to them."""

from functools import partial

import pytest
import torch
from torch import nn

import conex_nn as cx
from conex_nn.training import RateLimit, RateTarget, Report, SpikingClassifier, mean_membrane
from conex_nn.training.batch_checks import check_batch, check_outputs

from .stripes import CLASSES, SmallNet, Stripes, classifier, trainer

X = torch.zeros(4, 7, 6)
LABELS = torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 1}, "`num_classes` to be at least 2"),
        ({"top_k": 4}, "`top_k` to be from 1 to `num_classes` = 3"),
        ({"scheduler_interval": "day"}, "`scheduler_interval` to be"),
        ({"readout": "5"}, "address of a module, got '5'"),
        ({"net": nn.Linear(2, 2), "regularisers": {"rate": RateTarget(rate=1.0)}}, "spiking layers"),
    ],
)
def test_unsuitable_options(options, message):
    with pytest.raises(ValueError, match=message):
        classifier(**options)


def test_unknown_option_and_no_net():
    with pytest.raises(TypeError, match="optimiser"):
        classifier(optimiser=torch.optim.SGD)
    with pytest.raises(TypeError, match="`net` to be a torch module, got str"):
        SpikingClassifier("net", num_classes=2)


@pytest.mark.parametrize(
    ("x", "labels", "message"),
    [
        (X, torch.tensor([0, 1, 2, 3]), "from 0 to 2, as `num_classes` = 3, got values from 0 to 3"),
        (X, torch.tensor([0, 1, 2, -1]), "got values from -1 to 2"),
        (X.movedim(0, 1), LABELS, r"time-first; in a batch, samples come first: `x.movedim\(0, 1\)`"),
        (X[:3], LABELS, "equally many samples"),
        (X[:, 0], LABELS, r"shape \(batch, time, \*features\)"),
        (X, nn.functional.one_hot(LABELS), r"`labels` of shape \(batch,\)"),
        (X[:0], LABELS[:0], "at least one sample"),
        (X[:, :0], LABELS, "at least one sample, one time step"),
        (X + float("nan"), LABELS, "`x` to be finite, got NaN"),
        (X - float("inf"), LABELS, "`x` to be finite, got infinity"),
    ],
)
def test_unsuitable_batches(x, labels, message):
    with pytest.raises(ValueError, match=message):
        check_batch((x, labels), num_classes=CLASSES)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (X, "two tensors, .x, labels., or three, .x, labels, lengths., got a Tensor"),
        ((X, LABELS, LABELS, LABELS), "got a tuple of 4"),
        ((X, LABELS, LABELS + 0.5), "`lengths` to be whole numbers of steps, as torch.long, got torch.float32"),
        ((X, LABELS.float()), "class indices, as torch.long, got torch.float32"),
    ],
)
def test_what_is_no_batch(batch, message):
    with pytest.raises(TypeError, match=message):
        check_batch(batch, num_classes=CLASSES)


def test_a_bad_batch_stops_training(tmp_path):
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, LABELS + 1), batch_size=4)
    with pytest.raises(ValueError, match="as `num_classes` = 3, got values from 1 to 3"):
        trainer(tmp_path, max_epochs=1).fit(classifier(), loader)


@pytest.mark.gpu
def test_values_on_a_gpu_are_checked_without_waiting():
    batch = X.cuda(), LABELS.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        check_batch(batch, num_classes=CLASSES)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_unsuitable_outputs():
    with pytest.raises(ValueError, match="as many outputs as classes, 4, got 3"):
        classifier(num_classes=4)(X)
    with pytest.raises(ValueError, match=r"\(time, batch, classes\) with a batch of 4, got shape \(7, 4, 3, 2\)"):
        check_outputs(torch.zeros(7, 4, 3, 2), num_classes=3, steps=7, batch=4)
    with pytest.raises(TypeError, match="output to be a tensor, got dict"):
        check_outputs({}, num_classes=3, steps=7, batch=4)
    with pytest.raises(ValueError, match=r"`decode` to return scores of shape \(4, 3\)"):
        classifier(cx.Sequential(nn.Linear(6, 5), cx.LI()), decode=mean_membrane)(X)


def test_images_without_an_encoder_are_told():
    with pytest.warns(UserWarning, match=r"one time step of \(8, 8\) features.*give the data module an encoder"):
        check_batch((torch.zeros(2, 1, 8, 8), torch.tensor([0, 1])), num_classes=2)


def test_nothing_to_train(tmp_path):
    net = SmallNet().requires_grad_(False)
    with pytest.raises(ValueError, match="something to train"):
        trainer(tmp_path, max_epochs=1).fit(classifier(net), datamodule=Stripes())


def test_a_plateau_without_validation(tmp_path):
    model = classifier(scheduler=partial(torch.optim.lr_scheduler.ReduceLROnPlateau))
    with pytest.raises(ValueError, match="validation data for a ReduceLROnPlateau"):
        trainer(tmp_path, max_epochs=1, limit_val_batches=0).fit(model, datamodule=Stripes())


def test_a_checkpoint_of_another_model(tmp_path):
    other = classifier(SmallNet(hidden=13))
    with pytest.raises(ValueError, match=r"other shapes: net.0.weight \(12, 6\) here, \(13, 6\) there") as error:
        classifier().load_state_dict(other.state_dict())
    assert "arguments that it was trained with" in str(error.value)
    deeper = classifier(cx.Sequential(*SmallNet(), nn.Linear(3, 3), cx.LI()))
    with pytest.raises(ValueError, match=r"missing in the checkpoint: net.5.weight, net.5.bias"):
        deeper.load_state_dict(classifier().state_dict())
    with pytest.raises(ValueError, match=r"unknown to the model: net.5.weight.* and 2 more"):
        classifier().load_state_dict(deeper.state_dict())
    runner = trainer(tmp_path, max_epochs=1)
    runner.fit(other, datamodule=Stripes())
    runner.save_checkpoint(tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="a checkpoint of this model"):
        runner.test(classifier(), datamodule=Stripes(), ckpt_path=tmp_path / "other.ckpt")
    classifier().load_state_dict({}, strict=False)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RateTarget(rate=-1.0), r"`rate` to be 0 or more \[Hz\], got -1.0"),
        (lambda: RateTarget(rate=1.0, weight=-1.0), r"`weight` to be 0 or more"),
        (lambda: RateLimit(lower=2.0, upper=1.0), r"`upper` to be at least `lower`, 2.0 \[Hz\], got 1.0"),
        (lambda: RateLimit(lower=-2.0, upper=1.0), "`lower` to be 0 or more"),
        (lambda: RateTarget(rate=1.0, layers=["a"])({"b": X}, 1.0), "spiking layers, got 'a'"),
    ],
)
def test_unsuitable_regularisers(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_report_of_something_else(tmp_path):
    with pytest.raises(TypeError, match="`config` to be a mapping or a dataclass, got list"):
        Report(tmp_path, config=[1])

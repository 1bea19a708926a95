"""What learns in which epochs, and what is seen of it."""

from functools import partial

import lightning as L
import pytest
import torch
from torch import nn

import conex_nn as cx
from conex_nn.plasticity import attach
from conex_nn.training import Convergence, LearningSchedule, SpikingClassifier, WeightImages, mean_membrane

from .local_nets import hybrid, layer, stdp
from .stripes import CLASSES, FEATURES, Stripes, trainer


class Keeps(L.Callback):
    """Keep the network's weights after each epoch."""

    def __init__(self):
        self.weights = []

    def on_train_epoch_start(self, trainer, pl_module):
        if not self.weights:
            self.on_train_epoch_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer, pl_module):
        self.weights.append({name: p.detach().clone() for name, p in pl_module.net.named_parameters()})

    def moved(self, name):
        return [not torch.equal(a[name], b[name]) for a, b in zip(self.weights, self.weights[1:], strict=False)]


def _fit(model, folder, *callbacks, epochs=3, **options):
    runner = trainer(folder, max_epochs=epochs, callbacks=list(callbacks), **options)
    runner.fit(model, datamodule=Stripes(time=20))
    return runner


def _two_layers():
    net = cx.Sequential(layer(FEATURES, 4), cx.LIF(tau_mem=5.0), nn.Linear(4, CLASSES), cx.LI())
    attach(cx.STDP(a_plus=0.02), synapse=net[0], neuron=net[1], gradient=False)
    adam = partial(torch.optim.Adam, lr=0.01)  # which would move by momentum without a gradient
    return SpikingClassifier(net, num_classes=CLASSES, decode=mean_membrane, optimizer=adam)


@pytest.mark.parametrize("pattern", ["0", "0.*", "?.plasticity", "0.plasticity"])
def test_layers_learn_one_after_the_other(tmp_path, pattern):
    keeps, model = Keeps(), _two_layers()
    _fit(model, tmp_path, keeps, LearningSchedule({pattern: range(1), "2": {0, 2}}))
    assert keeps.moved("0.weight") == [True, False, False]
    assert keeps.moved("2.weight") == [True, False, True]
    assert keeps.moved("2.bias") == [True, False, True]
    assert model.net[0].plasticity.enabled  # the schedule ends with the fit


def test_a_rule_and_the_gradient_of_one_weight(tmp_path):
    keeps, model = Keeps(), hybrid(into="weight")
    _fit(model, tmp_path, keeps, LearningSchedule({"0.plasticity": {0}, "0.weight": {1}, "2": []}))
    assert keeps.moved("0.weight") == [True, True, False]
    assert keeps.moved("2.weight") == [False, False, False]


def test_what_several_patterns_name_learns_in_the_epochs_of_each():
    schedule = LearningSchedule({"0": {0}, "0.weight": {2}})
    found = [schedule.learning(_two_layers().net, epoch=epoch) for epoch in range(3)]
    assert [each["0.weight"] for each in found] == [True, False, True]
    assert [each["0.plasticity"] for each in found] == [True, False, False]


def test_a_schedule_goes_on_where_a_run_was_interrupted(tmp_path):
    whole, half = Keeps(), Keeps()
    schedule = partial(LearningSchedule, {"0": {0, 2}})
    L.seed_everything(2, verbose=False)
    _fit(_two_layers(), tmp_path, whole, schedule())
    L.seed_everything(2, verbose=False)
    first = _fit(_two_layers(), tmp_path, schedule(), epochs=1)
    first.save_checkpoint(tmp_path / "half.ckpt")
    runner = trainer(tmp_path, max_epochs=3, callbacks=[half, schedule()])
    runner.fit(_two_layers(), datamodule=Stripes(time=20), ckpt_path=tmp_path / "half.ckpt")
    assert half.moved("0.weight") == [False, True]
    torch.testing.assert_close(half.weights[-1], whole.weights[-1], rtol=0, atol=0)


def test_unsuitable_schedules(tmp_path):
    with pytest.raises(ValueError, match=r"'conv1' to name something that learns, got no rule and no parameter"):
        _fit(_two_layers(), tmp_path, LearningSchedule({"conv1": range(2)}))
    with pytest.raises(TypeError, match=r"the epochs of '0' as a range or a set .*got 3"):
        LearningSchedule({"0": 3})


def test_weight_images(tmp_path):
    pictures = WeightImages(tmp_path / "all", every=2)
    _fit(stdp(), tmp_path, pictures, epochs=4)
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == [f"0.weight-{n}.png" for n in (0, 2, 4)]
    some = WeightImages(tmp_path / "some", {"2.weight": None, "0.weight": (2, 3)}, most=2)
    _fit(hybrid(), tmp_path, some, epochs=1)
    assert len(list((tmp_path / "some").iterdir())) == 4
    with pytest.raises(ValueError, match=r"a weight of the network, got '0.wight'. Did you mean 0.weight"):
        _fit(stdp(), tmp_path, WeightImages(tmp_path, {"0.wight": None}))
    with pytest.raises(ValueError, match="`every` to be at least 1"):
        WeightImages(tmp_path, every=0)


def test_convergence_is_logged(tmp_path):
    keeps, model = Keeps(), stdp()
    runner = _fit(model, tmp_path, keeps, Convergence(), epochs=2)
    change = (keeps.weights[2]["0.weight"] - keeps.weights[1]["0.weight"]).abs().mean()
    torch.testing.assert_close(runner.callback_metrics["change/0.weight"], change)
    weight = model.net[0].weight.detach()
    torch.testing.assert_close(runner.callback_metrics["spread/0.weight"], (weight * (1 - weight)).mean())
    runner = _fit(stdp(), tmp_path, Convergence(w_min=None), epochs=1)
    assert "spread/0.weight" not in runner.callback_metrics


def test_nothing_to_watch(tmp_path):
    plain = SpikingClassifier(cx.Sequential(nn.Linear(FEATURES, CLASSES), cx.LI()), num_classes=CLASSES)
    with pytest.raises(ValueError, match="a network with rules for `Convergence`"):
        _fit(plain, tmp_path, Convergence())
    with pytest.raises(ValueError, match="of a network without rules, got None"):
        _fit(plain, tmp_path, WeightImages(tmp_path))
    with pytest.raises(ValueError, match="`w_min` to be below `w_max`"):
        Convergence(w_min=1.0)


def test_weights_of_any_synapse_are_drawn(tmp_path):
    net = cx.Neocortex(retina=cx.InputLayer(2, 3), v1=cx.Population((1, 2, 3), cx.LIF()), out=cx.Population(3, cx.LI()))
    net.connect("retina", "v1", cx.Dense)
    net.connect("v1", "out", cx.Sparse, in_degree=2)
    model = SpikingClassifier(net, num_classes=CLASSES, readout="out", decode=mean_membrane)
    addresses = [name for name, _ in net.named_parameters()]
    images = WeightImages(weights=dict.fromkeys(addresses), histogram=True)
    drawn = dict(images.pictures(None, model, 1))
    assert list(drawn) == addresses
    dense, sparse = drawn.values()
    assert dense.images[0].get_array().shape == (2 * 3 - 1, 3 * 4 - 1)  # six fields of 2 x 3
    assert dense.get_title() == f"{addresses[0]} after 1 epoch"
    assert len(dense.figure.axes) == 3  # with a colour bar and a histogram
    assert sparse.patches[0].get_data().values.sum() == 6


@pytest.mark.parametrize(
    "check",
    [
        partial(LearningSchedule({}).setup, stage="fit"),
        WeightImages("x").on_fit_start,
        Convergence().on_fit_start,
    ],
)
def test_another_module(check):
    with pytest.raises(TypeError, match=r"to see a SpikingClassifier.*, got LightningModule"):
        check(None, L.LightningModule())

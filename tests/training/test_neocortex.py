"""A Neocortex under a Trainer: readouts, step lengths, metrics, reports, and a run that goes on where it stopped."""

import json
from functools import partial

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.nn import init

import conex_nn as cx
from conex_nn.data import Digits
from conex_nn.encoders import Poisson
from conex_nn.recording import spiking_layers
from conex_nn.training import Activity, RateTarget, Report, SpikingClassifier, max_membrane, mean_membrane, spike_count

from .stripes import trainer


def cortex(*, classes=10, shape=(1, 8, 8), motor=False, dt=1.0):
    """Two populations in a loop, homeostasis in one of them, and a readout."""
    layer = cx.CorticalLayer(
        exc=cx.Population(
            (2, 4, 4),
            cx.LIF(tau_mem=5.0),
            activity_homeostasis=cx.ActivityHomeostasis(activity_rate=2.0, window_size=10.0, updating_rate=0.01),
        ),
        inh=cx.Population(8, cx.LIF(tau_mem=5.0), inhibitory=True),
    ).port("out", "exc")
    out = cx.OutputLayer(
        representation=cx.Population((classes, 1), cx.LI(tau_mem=20.0)),
        motor=cx.Population(2, cx.LIF()) if motor else None,
    )
    net = cx.Neocortex(retina=cx.InputLayer(*shape), v1=layer, out=out, dt=dt)
    net.connect("retina", "v1.exc", cx.Dense, init=partial(init.uniform_, a=-0.2, b=0.6))
    net.connect("v1.exc", "v1.inh", cx.Sparse, density=0.5, init=partial(init.uniform_, a=0.0, b=0.5))
    net.connect("v1.inh", "v1.exc", cx.Dense, init=partial(init.uniform_, a=0.0, b=0.2))
    net.connect("v1.out", "out", cx.Dense)
    return net


def classifier(net=None, **options):
    options = {"decode": mean_membrane, "optimizer": partial(torch.optim.Adam, lr=0.02), **options}
    return SpikingClassifier(cortex() if net is None else net, num_classes=10, **options)


def digits(**options):
    return Digits(encoder=Poisson(time=12), batch_size=64, validation=100, test=100, **options)


def test_it_learns_logs_and_reports(tmp_path):
    L.seed_everything(0, verbose=False)
    report = Report(tmp_path, show=False)
    regularisers = {"rate": RateTarget(rate=100.0)}
    model, runner = classifier(regularisers=regularisers), trainer(tmp_path, max_epochs=2, callbacks=[report])
    runner.fit(model, datamodule=digits())
    assert {"train/rate", "val/rate/v1.exc"} <= runner.callback_metrics.keys()
    (logged,) = runner.test(model, datamodule=digits(), verbose=False)
    assert logged["test/accuracy"] > 0.5  # chance is 0.1
    rates = {name: value for name, value in logged.items() if name.startswith("test/rate/")}
    assert rates.keys() == {"test/rate/v1.exc", "test/rate/v1.inh"}
    silent = 1 - (32 * rates["test/rate/v1.exc"] + 8 * rates["test/rate/v1.inh"]) / 40 / 1000
    assert logged["test/sparsity"] == pytest.approx(silent, rel=1e-4)
    assert logged["test/synaptic_operations"] > 0
    assert 1 <= logged["test/latency"] <= 12
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["rate"].keys() == {"v1.exc", "v1.inh"}
    assert (tmp_path / "raster.png").stat().st_size > 5000


def test_fast_dev_run_goes_through_every_stage(tmp_path):
    model, runner = classifier(), trainer(tmp_path, fast_dev_run=True)
    runner.fit(model, datamodule=digits())
    runner.validate(model, datamodule=digits(), verbose=False)
    runner.test(model, datamodule=digits(), verbose=False)
    (scores,) = runner.predict(model, datamodule=digits())
    assert scores.shape == (64, 10)


class Interrupt(L.Callback):
    """Stop at the start of the second epoch."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise InterruptedError


def test_resumed_equals_uninterrupted(tmp_path):
    def fit(folder, *, callbacks=(), ckpt_path=None):
        L.seed_everything(5, verbose=False)
        model = classifier()
        saving = ModelCheckpoint(dirpath=folder, filename="{epoch}", save_top_k=-1)
        runner = trainer(
            folder, max_epochs=2, limit_train_batches=6, enable_checkpointing=True, callbacks=[saving, *callbacks]
        )
        torch.rand(0 if ckpt_path is None else 17)
        runner.fit(model, datamodule=digits(), ckpt_path=ckpt_path)
        return model

    whole = fit(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        fit(tmp_path / "first", callbacks=[Interrupt()])
    resumed = fit(tmp_path / "second", ckpt_path=tmp_path / "first" / "epoch=0.ckpt")
    assert whole.net["v1.exc"].neuron.v_threshold.std() > 0  # homeostasis has learned too
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0, msg=name)
    loaded = SpikingClassifier.load_from_checkpoint(
        tmp_path / "whole" / "epoch=1.ckpt", net=cortex(), decode=mean_membrane, weights_only=True
    )
    x = torch.rand(2, 5, 1, 8, 8)
    torch.testing.assert_close(loaded.eval()(x), whole.eval()(x))


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_precisions(tmp_path, precision):
    net = cx.Neocortex(retina=cx.InputLayer(1, 8, 8), v1=cx.Population(10, cx.LIF()))
    net.connect("retina", "v1", cx.Dense)
    before = net["connections.retina_to_v1"].only.weight.detach().clone()
    trainer(tmp_path, precision=precision, fast_dev_run=True).fit(classifier(net), datamodule=digits())
    assert not torch.equal(net["connections.retina_to_v1"].only.weight, before)


READOUTS = {
    "v1.exc": "v1.exc",
    "v1.out": "v1.exc",
    "out": "out.representation",
    "out.representation": "out.representation",
    None: "out.representation",
}


@pytest.mark.parametrize(("readout", "path"), READOUTS.items())
def test_a_readout_is_a_population(readout, path):
    net = cortex(motor=True).eval()
    x = torch.rand(3, 9, 1, 8, 8)
    model = classifier(net, readout=readout).eval()
    assert model.readout == path
    outputs = model.outputs(x)
    torch.testing.assert_close(outputs, net(x.movedim(1, 0))[0][path].flatten(2))
    assert outputs.shape == (9, 3, 32 if "exc" in path else 10)


def test_only_the_readout_is_asked_for(monkeypatch):
    net, asked = cortex(), []
    forward = cx.Neocortex.forward
    monkeypatch.setattr(
        cx.Neocortex, "forward", lambda self, *args, **options: asked.append(options) or forward(self, *args, **options)
    )
    classifier(net, detach_every=4)(torch.rand(3, 9, 1, 8, 8))
    assert asked == [{"outputs": ["out.representation"], "dt": 1.0, "detach_every": 4, "checkpoint_every": None}]


def test_the_only_population_needs_no_name():
    net = cx.Neocortex(eye=cx.InputLayer(6), v1=cx.Population(10, cx.LIF()))
    net.connect("eye", "v1", cx.Dense)
    assert classifier(net, decode=spike_count)(torch.rand(3, 9, 6)).shape == (3, 10)


@pytest.mark.parametrize(
    ("readout", "message"),
    [
        ("v1", "`readout` to name one population of the network, got 'v1', and there are 'v1.exc', 'v1.inh'"),
        ("v1.exk", "there is no 'exk' in 'v1' .* Did you mean exc"),
        ("retina", "got 'retina', and there are 'v1.exc', 'v1.inh', 'out.representation'"),
    ],
)
def test_unsuitable_readouts(readout, message):
    with pytest.raises(ValueError, match=message):
        classifier(readout=readout)


def test_a_missing_readout():
    net = cx.Neocortex(eye=cx.InputLayer(6), a=cx.Population(10, cx.LIF()), b=cx.Population(10, cx.LIF()))
    with pytest.raises(ValueError, match="got None, and there are 'a', 'b'"):
        classifier(net)


class Wrapped(nn.Module):
    """A module of one's own around a network."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, xs, state=None, **options):
        return self.net(xs, state, **options)


def test_a_network_inside_a_module():
    x = torch.rand(3, 9, 1, 8, 8)
    net = cortex().eval()
    expected = classifier(net)(x)
    torch.testing.assert_close(classifier(Wrapped(net), readout="net.out.representation")(x), expected)
    with pytest.raises(ValueError, match=r"got None, and there are 'v1.exc', 'v1.inh', 'out.representation'"):
        classifier(Wrapped(net))(x)
    assert list(spiking_layers(Wrapped(net))) == ["net.v1.exc", "net.v1.inh"]
    activity = Activity(Wrapped(net))
    with activity.watch(Wrapped(net), samples=3):
        net(x.movedim(1, 0))
    assert activity.metrics().keys() == {"rate/net.v1.exc", "rate/net.v1.inh", "sparsity", "synaptic_operations"}


def test_the_step_is_the_networks():
    assert classifier(cortex(dt=0.5)).dt == 0.5
    assert classifier(cortex(dt=0.5), dt=0.5).testing.latency.dt == 0.5
    assert classifier(nn.Linear(2, 2)).dt == 1.0
    with pytest.raises(ValueError, match=r"`dt` to be that of the network, 0.5 \[ms\], got 1.0"):
        classifier(cortex(dt=0.5), dt=1.0)
    with pytest.raises(ValueError, match=r"`dt` to be positive \[ms\], got 0"):
        classifier(nn.Linear(2, 2), dt=0.0)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("by_events", [None, False, True])
def test_operations_are_counted_spike_by_spike(grad, by_events):
    net = cortex().eval()
    net.by_events = by_events
    net.switch("connections.v1_inh_to_v1_exc", on=False)
    x = (torch.rand(20, 3, 1, 8, 8) < 0.3).float()
    activity = Activity(net, dt=1.0)
    with torch.set_grad_enabled(grad), activity.watch(net, samples=3):
        out, _ = net(x)
    degrees = net["connections.v1_exc_to_v1_inh"].only.synapse.indptr.diff()
    exc = out["v1.exc"].detach().flatten(2).sum((0, 1))
    expected = x.sum() * 32 + (exc * (degrees + 10)).sum()
    assert exc.sum() > 10
    assert activity()["synaptic_operations"] == expected / 3
    torch.testing.assert_close(activity()["rate/v1.exc"], 1000 * out["v1.exc"].detach().mean())


def test_a_synapse_is_counted_once():
    """Modules inside a connection's synapse are part of it, those outside count by themselves."""

    class Own(cx.Synapse):
        def __init__(self, source, target):
            super().__init__(source, target)
            self.inner = nn.Linear(*source, *target, bias=False)
            self.weight = self.inner.weight

        def forward(self, spikes):
            return spikes @ self.weight.T

    net = cx.Neocortex(eye=cx.InputLayer(4), v1=cx.Population(3, cx.LIF()))
    net.connect("eye", "v1", Own)
    activity = Activity(net)
    with activity.watch(net, samples=1):
        net(torch.ones(5, 1, 4))
    assert activity()["synaptic_operations"] == 5 * 4 * 3


def test_regularisers_reach_weights_through_blocks():
    model = classifier(regularisers={"rate": RateTarget(rate=500.0)}, detach_every=3)
    model.log = lambda *_, **__: None
    model.training_step((torch.rand(4, 9, 1, 8, 8), torch.arange(4)), 0).backward()
    assert model.net["connections.retina_to_v1_exc"].only.weight.grad.abs().sum() > 0


def test_scores_of_potentials():
    assert classifier(decode=max_membrane)(torch.rand(3, 9, 1, 8, 8)).shape == (3, 10)

"""A SpikingClassifier under a Trainer: what a user of Lightning expects of it."""

from functools import partial

import pytest
import snntorch.functional
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn

import conex_nn as cx
from conex_nn.training import (
    OnSequence,
    RateLimit,
    RateTarget,
    SpikingClassifier,
    first_spike,
    max_membrane,
    mean_membrane,
    spike_count,
)

from .stripes import CLASSES, SmallNet, Stripes, classifier, trainer


def spiking_net(hidden=12):
    return cx.Sequential(nn.Linear(6, hidden), cx.LIF(tau_mem=5.0), nn.Linear(hidden, CLASSES), cx.LIF(tau_mem=5.0))


def test_fast_dev_run_goes_through_every_stage(tmp_path):
    model, runner = classifier(), trainer(tmp_path, fast_dev_run=True)
    runner.fit(model, datamodule=Stripes())
    runner.validate(model, datamodule=Stripes(), verbose=False)
    runner.test(model, datamodule=Stripes(), verbose=False)
    (scores,) = runner.predict(model, datamodule=Stripes())
    assert scores.shape == (8, CLASSES)


def test_it_learns_and_logs(tmp_path):
    model, runner = classifier(), trainer(tmp_path, max_epochs=15)
    runner.fit(model, datamodule=Stripes(time=20))
    assert {"train/loss", "train/accuracy", "val/loss", "val/accuracy"} <= runner.callback_metrics.keys()
    (logged,) = runner.test(model, datamodule=Stripes(time=20), verbose=False)
    assert logged.keys() == {
        f"test/{name}"
        for name in (
            "loss", "accuracy", "top_2", "f1", "calibration_error", "latency", "rate/1", "sparsity",
            "synaptic_operations",
        )
    }  # fmt: skip
    assert logged["test/accuracy"] > 0.9
    assert logged["test/accuracy"] <= logged["test/top_2"]
    torch.testing.assert_close(1 - logged["test/rate/1"] / 1000, logged["test/sparsity"])
    assert model.confusion.sum() == 12
    assert model.confusion.trace() / 12 == pytest.approx(logged["test/accuracy"])


def test_what_is_logged_is_of_the_whole_set(tmp_path):
    """Batches of 8 and 4 count by their size; the network is deterministic at a fixed input."""
    torch.manual_seed(0)
    x, labels = torch.rand(12, 5, 6), torch.arange(12) % CLASSES
    model = classifier(SmallNet(dropout=0.0))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, labels), batch_size=8)
    (logged,) = trainer(tmp_path).test(model, loader, verbose=False)
    model.eval()
    scores = model(x).detach()
    assert logged["test/loss"] == pytest.approx(float(nn.functional.cross_entropy(scores, labels)), rel=1e-5)
    assert logged["test/accuracy"] == pytest.approx(float((scores.argmax(1) == labels).float().mean()))
    best = scores.topk(2).indices
    assert logged["test/top_2"] == pytest.approx(float((best == labels[:, None]).any(1).float().mean()))
    found = scores.argmax(1)
    f1 = [2 * ((found == c) & (labels == c)).sum() / ((found == c).sum() + (labels == c).sum()) for c in range(CLASSES)]
    assert logged["test/f1"] == pytest.approx(float(torch.stack(f1).mean()))
    assert len({round(float(f), 6) for f in f1}) > 1  # or the mean over classes would be that over samples
    sure = scores.softmax(1).amax(1)
    bins = (sure * 15).long().clamp(max=14)
    right = (found == labels).float()
    gaps = [abs(float((right - sure)[bins == b].sum())) for b in range(15)]
    assert logged["test/calibration_error"] == pytest.approx(sum(gaps) / 12, abs=1e-5)
    spikes, _ = model.net[1](model.net[0](x.movedim(1, 0)))
    assert logged["test/rate/1"] == pytest.approx(1000 * float(spikes.detach().mean()), rel=1e-5)
    operations = (x.count_nonzero() * 12 + spikes.count_nonzero() * CLASSES) / 12
    assert logged["test/synaptic_operations"] == pytest.approx(float(operations), rel=1e-5)


def test_plain_training_and_prediction_leave_no_hooks(tmp_path):
    model, runner = classifier(), trainer(tmp_path, max_epochs=1)
    seen = []
    model.net.register_forward_hook(
        lambda *_: seen.append(sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.net.modules()) - 1)
    )
    runner.fit(model, datamodule=Stripes())
    # Two batches of the sanity check (three hooks: one neuron, two Linears), three of training, two of validation.
    assert seen == [3, 3, 0, 0, 0, 3, 3]
    assert sum(len(m._forward_hooks) for m in model.net.modules()) == 1


def test_early_stopping(tmp_path):
    stop = EarlyStopping("val/loss", patience=0, min_delta=1e9)
    runner = trainer(tmp_path, max_epochs=10, callbacks=[stop])
    runner.fit(classifier(), datamodule=Stripes())
    assert runner.current_epoch == 2


def test_gradient_clipping_and_accumulation(tmp_path):
    norms = []

    class Watched(SpikingClassifier):
        def on_before_optimizer_step(self, optimizer):
            norms.append(float(nn.utils.get_total_norm(p.grad for p in self.parameters() if p.grad is not None)))

        def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)
            norms.append(float(nn.utils.get_total_norm(p.grad for p in self.parameters() if p.grad is not None)))

    model = Watched(SmallNet(), num_classes=CLASSES, decode=mean_membrane)
    runner = trainer(tmp_path, max_epochs=1, gradient_clip_val=1e-3, accumulate_grad_batches=3)
    runner.fit(model, datamodule=Stripes())
    assert runner.global_step == 1
    before, after = norms
    assert before > 1e-3
    assert after == pytest.approx(1e-3, rel=1e-3)


def test_bf16_mixed_learns(tmp_path):
    model, runner = classifier(), trainer(tmp_path, max_epochs=15, precision="bf16-mixed")
    runner.fit(model, datamodule=Stripes(time=20))
    assert model.net[0].weight.dtype == torch.float32
    (logged,) = runner.test(model, datamodule=Stripes(time=20), verbose=False)
    assert logged["test/accuracy"] > 0.9


def test_double_precision_and_integer_spikes(tmp_path):
    x = torch.randint(0, 2, (8, 5, 6), dtype=torch.uint8)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, torch.arange(8) % CLASSES), batch_size=4)
    model = classifier()
    trainer(tmp_path, max_epochs=1, precision="64-true").fit(model, loader)
    assert model.net[0].weight.dtype == torch.float64


@pytest.mark.parametrize("decode", [spike_count, first_spike])
def test_spiking_outputs_learn(tmp_path, decode):
    model, runner = classifier(spiking_net(24), decode=decode), trainer(tmp_path, max_epochs=20)
    runner.fit(model, datamodule=Stripes(time=20))
    (logged,) = runner.test(model, datamodule=Stripes(time=20), verbose=False)
    assert logged["test/accuracy"] > 0.8


@pytest.mark.parametrize(
    "loss",
    [
        snntorch.functional.ce_rate_loss(),
        snntorch.functional.ce_count_loss(),
        snntorch.functional.ce_max_membrane_loss(),
        snntorch.functional.mse_count_loss(correct_rate=0.8, incorrect_rate=0.1),
        snntorch.functional.mse_membrane_loss(),
        snntorch.functional.ce_temporal_loss(),
        snntorch.functional.mse_temporal_loss(),
        OnSequence(lambda outputs, labels: nn.functional.cross_entropy(outputs.mean(0), labels)),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        nn.functional.multi_margin_loss,
    ],
    ids=lambda loss: getattr(loss, "__name__", type(loss).__name__),
)
def test_losses_of_scores_and_of_sequences(tmp_path, loss):
    model = classifier(spiking_net(), decode=spike_count, loss=loss)
    before = model.net[0].weight.detach().clone()
    trainer(tmp_path, max_epochs=1, limit_val_batches=0).fit(model, datamodule=Stripes())
    assert not torch.equal(model.net[0].weight, before)


def test_readout_of_an_inner_module():
    net = cx.Sequential(nn.Linear(6, CLASSES), cx.LI(), nn.Linear(CLASSES, 7), cx.LIF())
    x = torch.rand(2, 9, 6)
    model = classifier(net, readout="1", decode=max_membrane)
    expected = net[:2](x.movedim(1, 0))[0].amax(0)
    torch.testing.assert_close(model(x), expected)
    flat = classifier(net, readout="0", decode=mean_membrane)  # it runs over time and batch together
    torch.testing.assert_close(flat(x), net[0](x).mean(1))
    model(x).sum().backward()
    assert net[0].weight.grad is not None


def test_options_of_time_reach_the_network():
    seen = {}

    class Net(nn.Module):
        def forward(self, xs, state=None, **options):
            seen.update(options, shape=xs.shape)
            return xs[..., :CLASSES], None

    classifier(Net(), dt=0.5, detach_every=4, checkpoint_every=2)(torch.rand(2, 9, 6))
    assert seen == {"dt": 0.5, "detach_every": 4, "checkpoint_every": 2, "shape": (9, 2, 6)}


@pytest.mark.parametrize("options", [{"detach_every": 4}, {"checkpoint_every": 3}])
def test_blocks_of_time_change_no_metric(tmp_path, options):
    def loss(**options):
        torch.manual_seed(3)
        regularisers = {"rates": RateTarget(rate=200.0)}
        model = classifier(SmallNet(dropout=0.0), regularisers=regularisers, **options)
        runner = trainer(tmp_path, max_epochs=1)
        runner.fit(model, datamodule=Stripes())
        return runner.callback_metrics

    whole, blocks = loss(), loss(**options)
    assert blocks.keys() == whole.keys()
    if "checkpoint_every" in options:
        for name in whole:
            torch.testing.assert_close(blocks[name], whole[name])
    else:  # gradients end with their block, and the weights become others
        assert blocks["val/loss"] != whole["val/loss"]
        torch.testing.assert_close(blocks["val/loss"], whole["val/loss"], rtol=0.2, atol=0)


def test_regularisers_are_logged_and_pull(tmp_path):
    regularisers = {"limit": RateLimit(upper=20.0, weight=1000.0), "target": RateTarget(rate=10.0, layers=["1"])}
    quiet, free = classifier(regularisers=regularisers), classifier()
    rates = []
    for model in (quiet, free):
        runner = trainer(tmp_path, max_epochs=8)
        runner.fit(model, datamodule=Stripes())
        rates.append(float(runner.callback_metrics["val/rate/1"]))
        assert ("train/limit" in runner.callback_metrics) == (model is quiet)
        assert ("train/target" in runner.callback_metrics) == (model is quiet)
    assert rates[0] < 0.7 * rates[1]


def test_a_scheduler_that_takes_total_steps_gets_them(tmp_path):
    cycle = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1)
    model, runner = classifier(scheduler=cycle), trainer(tmp_path, max_epochs=2)
    runner.fit(model, datamodule=Stripes())
    scheduler = model.lr_schedulers()
    assert scheduler.total_steps == 6
    assert scheduler.last_epoch == 6


@pytest.mark.parametrize(("interval", "steps"), [("epoch", 2), ("step", 6)])
def test_scheduler_interval(tmp_path, interval, steps):
    decay = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.9)
    model, runner = classifier(scheduler=decay, scheduler_interval=interval), trainer(tmp_path, max_epochs=2)
    runner.fit(model, datamodule=Stripes())
    assert model.lr_schedulers().last_epoch == steps


def test_plateau_watches_the_validation_loss(tmp_path):
    plateau = partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0, threshold=1e9, threshold_mode="abs")
    model, runner = classifier(scheduler=plateau), trainer(tmp_path, max_epochs=3)
    runner.fit(model, datamodule=Stripes())
    assert model.lr_schedulers().get_last_lr() == pytest.approx([0.02 * 0.01])  # lowered after epochs 2 and 3


def test_a_checkpoint_loads_without_running_code(tmp_path):
    saving = ModelCheckpoint(dirpath=tmp_path, filename="model")
    model = classifier()
    trainer(tmp_path, max_epochs=1, callbacks=[saving], enable_checkpointing=True).fit(model, datamodule=Stripes())
    checkpoint = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"]["num_classes"] == CLASSES
    loaded = SpikingClassifier.load_from_checkpoint(
        tmp_path / "model.ckpt", net=SmallNet(), decode=mean_membrane, weights_only=True
    )
    state = torch.random.get_rng_state()
    x = torch.rand(2, 5, 6)
    torch.testing.assert_close(loaded.eval()(x), model.eval()(x))
    torch.random.set_rng_state(state)


def test_testing_a_checkpoint_leaves_the_random_state(tmp_path):
    saving = ModelCheckpoint(dirpath=tmp_path, filename="model")
    model = classifier()
    runner = trainer(tmp_path, max_epochs=1, callbacks=[saving], enable_checkpointing=True)
    runner.fit(model, datamodule=Stripes())
    torch.manual_seed(77)
    runner.test(model, datamodule=Stripes(), ckpt_path=tmp_path / "model.ckpt", verbose=False)
    once = torch.rand(1)
    saved = torch.load(tmp_path / "model.ckpt", weights_only=True)["random_states"][0]["cpu"]
    torch.set_rng_state(saved)
    assert not torch.equal(torch.rand(1), once)


def test_rules_without_gradients(tmp_path):
    """A network that learns by rules alone runs; it has nothing for an optimizer."""

    class Ruled(nn.Module):
        rule = "a rule"

        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.zeros(6, CLASSES))

        def forward(self, xs, state=None, **options):
            if self.training:
                self.weight += 1
            return xs @ self.weight, None

    model = classifier(Ruled())
    trainer(tmp_path, max_epochs=1, limit_val_batches=0).fit(model, datamodule=Stripes())
    assert (model.net.weight == 3).all()

"""Sequences under masks: the loss by hand, what is logged, a small task learned, resuming, errors."""

import json
from functools import partial

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

import conex_nn as cx
from conex_nn.data import CognitiveTrials, DelayedMatch, MultiTask, PerceptualDecision
from conex_nn.rates import CTRNN, RateMagnitude, Reconstruction, TaskLoss, WeightedLoss, WeightNorm
from conex_nn.training import Criterion, PsychometricCurve, SequenceReport, SequenceTask
from conex_nn.training.sequence_batch import sequence_batch
from conex_nn.training.sequence_evaluation import SequenceEvaluation

from .stripes import trainer

EASY = PerceptualDecision(
    coherences=(0.1, 0.3), fixation=20.0, stimulus=100.0, decision=80.0, grace=20.0, noise=0.5, dt=20.0
)


def network(inputs=3, outputs=3):
    torch.manual_seed(1)
    return CTRNN(inputs, 20, output_size=outputs, tau=40.0, noise=0.01)


def model(net=None, **options):
    options = {"optimizer": partial(torch.optim.Adam, lr=0.01), "dt": 20.0, **options}
    return SequenceTask(net or network(), **options)


def loss_of(learner, batch):
    """The loss of a batch, without a trainer to log to."""
    learner.log = learner._log_mean = lambda *args, **kwargs: None
    return learner.training_step(batch, 0)


def data(**options):
    sizes = {"batch_size": 32, "batches": 20, "validation_batches": 2, "test_batches": 4}
    return CognitiveTrials(options.pop("task", EASY), **{**sizes, **options})


class Fixed(nn.Module):
    """A network whose outputs are its inputs, and that keeps how it was called."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.calls = []

    def forward(self, xs, state=None, *, dt=1.0):
        self.calls.append((xs.shape, dt))
        return self.scale * xs, None


def test_the_loss_is_the_masked_mean_of_cross_entropies():
    x = torch.tensor([[[0.0, 1.0], [2.0, 0.0], [5.0, -5.0]], [[1.0, 1.0], [0.0, 3.0], [9.0, 9.0]]])
    targets = torch.tensor([[0, 1, 1], [0, 1, 0]])
    mask = torch.tensor([[1.0, 2.0, 0.0], [1.0, 0.0, 0.0]])
    net = Fixed()
    found = loss_of(model(net), (x, targets, mask))
    each = [F.cross_entropy(x[b, t], targets[b, t]) for b, t in ((0, 0), (0, 1), (1, 0))]
    torch.testing.assert_close(found, (each[0] + 2 * each[1] + each[2]) / 4)
    assert net.calls == [(torch.Size([3, 2, 2]), 20.0)]  # time first, once


def test_values_as_targets():
    x, targets = torch.rand(4, 5, 2), torch.rand(4, 5, 2)
    found = loss_of(model(Fixed(), loss=nn.MSELoss(reduction="none")), (x, targets))
    torch.testing.assert_close(found, F.mse_loss(x, targets))


def test_terms_see_the_rates_and_are_weighted_and_logged(tmp_path):
    net = network()
    task = TaskLoss(partial(F.cross_entropy, reduction="none"))
    terms = {"task": task, "rate": RateMagnitude(), "norm": WeightNorm("recurrent")}
    weights = {"task": 1.0, "rate": 0.3, "norm": 2.0}
    learner = model(net, loss=WeightedLoss(terms, weights)).eval()
    batch = next(iter(data().train_dataloader()))
    found = loss_of(learner, batch)
    xs = batch.inputs.transpose(0, 1)
    rates, _ = net.rates(xs, dt=20.0)
    plain = loss_of(model(net).eval(), batch)
    torch.testing.assert_close(found, plain + 0.3 * rates.square().mean() + 2.0 * net.recurrent.weight.square().mean())
    learner = model(net.train(), loss=WeightedLoss(terms, weights))
    runner = trainer(tmp_path, max_epochs=1, limit_train_batches=2)
    runner.fit(learner, datamodule=data())
    assert {"train/rate", "train/norm", "train/task", "val/rate"} <= runner.callback_metrics.keys()


def test_a_term_with_parameters_is_trained_and_sees_spikes(tmp_path):
    net = cx.Sequential(nn.Linear(3, 8), cx.LIF(tau_mem=20.0), nn.Linear(8, 3), cx.LI(tau_mem=20.0))
    back = Reconstruction(8, 3)
    terms = {"task": TaskLoss(partial(F.cross_entropy, reduction="none")), "back": back}
    learner = model(net, loss=WeightedLoss(terms, {"task": 1.0, "back": 1.0}))
    before = back.decoder.bias.detach().clone()
    trainer(tmp_path, max_epochs=1, limit_train_batches=2).fit(learner, datamodule=data())
    assert not torch.equal(before, back.decoder.bias)


def test_a_small_task_is_learned_reported_and_stopped(tmp_path, capsys):
    L.seed_everything(4, verbose=False)
    learner = model(psychometric={"coherence": PsychometricCurve()})
    stop, report = Criterion(above=0.9, over=2), SequenceReport(tmp_path, config={"hidden": 20})
    runner = trainer(tmp_path, max_epochs=25, callbacks=[stop, report])
    runner.fit(learner, datamodule=data())
    assert stop.reached
    assert runner.current_epoch < 25
    (logged,) = runner.test(learner, datamodule=data(), verbose=False)
    assert logged["test/accuracy"] > 0.85
    written = json.loads((tmp_path / "report.json").read_text())
    assert next(iter(written)) == "accuracy"
    assert written["accuracy"] == pytest.approx(logged["test/accuracy"])
    curve = written["psychometric"]["coherence"]
    assert curve["evidence"] == pytest.approx([-0.3, -0.1, 0.1, 0.3])
    assert sum(curve["count"]) + curve["undecided"] == 4 * 32
    assert curve["share"][0] < 0.2 < 0.8 < curve["share"][-1]
    assert written["threshold"]["coherence"] == curve["threshold"] > 0
    assert (written["seed"], written["config"], written["epochs"]) == (4, {"hidden": 20}, len(report.history))
    for name in ("psychometric.png", "trial.png", "learning.png"):
        assert (tmp_path / name).stat().st_size > 5000
    assert "threshold of coherence" in capsys.readouterr().out


def test_groups_are_measured_apart(tmp_path):
    mixed = MultiTask({"dots": EASY, "match": DelayedMatch(sample=40.0, delay=20.0, test=40.0)})
    learner = model(network(inputs=5), groups=("task", ["dots", "match"]))
    runner = trainer(tmp_path, callbacks=[SequenceReport(tmp_path, show=False)])
    (logged,) = runner.test(learner, datamodule=data(task=mixed), verbose=False)
    apart = [logged[f"test/accuracy/{name}"] for name in ("dots", "match")]
    assert logged["test/accuracy"] == pytest.approx(sum(apart) / 2)  # as many of either
    assert json.loads((tmp_path / "report.json").read_text())["accuracy/dots"] == pytest.approx(apart[0])


def test_groups_and_curves_by_hand():
    evaluation = SequenceEvaluation(("task", ("a", "b")), {"coherence": PsychometricCurve()})
    chosen = torch.tensor([1, 2, 2, 2])
    x = F.one_hot(chosen, 3).float()[:, None]  # one step of four samples, batch first
    info = {"task": torch.tensor([0, 1, 1, 1]), "coherence": torch.tensor([-0.1, 0.1, 0.1, torch.nan])}
    targets = torch.tensor([[1], [2], [1], [1]])
    batch = sequence_batch((x, targets, torch.ones(4, 1), torch.ones(4, 1, dtype=torch.bool), info))
    evaluation.update(batch.x, batch, loss=torch.tensor(0.25))
    found = {name: float(metric.compute()) for name, metric in evaluation.metrics().items()}
    assert found == {
        "loss": 0.25, "accuracy": 0.5, "accuracy/a": 1.0, "accuracy/b": pytest.approx(1 / 3)
    }  # fmt: skip
    assert evaluation.curves()["coherence"].count.tolist() == [1, 2]
    evaluation.reset_curves()
    assert evaluation.curves() == {}


def test_values_have_no_accuracy(tmp_path):
    x = torch.rand(8, 4, 3)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x), batch_size=4)
    learner = model(Fixed(), loss=nn.MSELoss(reduction="none"))
    runner = trainer(tmp_path, max_epochs=1, callbacks=[SequenceReport(tmp_path, show=False)])
    runner.fit(learner, loader, loader)
    runner.test(learner, loader, verbose=False)
    assert "test/accuracy" not in runner.callback_metrics
    assert "accuracy" not in json.loads((tmp_path / "report.json").read_text())


class Interrupt(L.Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise InterruptedError


def fit(folder, *, interrupt=False, ckpt_path=None):
    L.seed_everything(5, verbose=False)
    learner = model(scheduler=partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.02))
    stop = Criterion(above=1.0, over=2)
    callbacks = [ModelCheckpoint(dirpath=folder, filename="{epoch}", save_top_k=-1), stop]
    runner = trainer(
        folder, max_epochs=2, enable_checkpointing=True, callbacks=[*callbacks, *([Interrupt()] if interrupt else [])]
    )
    if ckpt_path is not None:
        torch.rand(17)  # what a program may draw while it is started again
    runner.fit(learner, datamodule=data(batches=3), ckpt_path=ckpt_path)
    return learner, stop


def test_resumed_equals_uninterrupted(tmp_path):
    whole, stop = fit(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        fit(tmp_path / "first", interrupt=True)
    resumed, stop_again = fit(tmp_path / "second", ckpt_path=tmp_path / "first" / "epoch=0.ckpt")
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)
    assert stop.state_dict() == stop_again.state_dict()


def test_forward_is_batch_first():
    learner = model()
    x = torch.rand(2, 7, 3)
    assert learner(x).shape == (2, 7, 3)
    assert learner.predict_step((x, None), 0).shape == (2, 7, 3)


OK = (torch.rand(2, 4, 3), torch.zeros(2, 4, dtype=torch.long))


@pytest.mark.parametrize(
    ("batch", "kind", "message"),
    [
        (OK[0], TypeError, r"a batch to be \(x, targets\)"),
        ((OK[0], [0]), TypeError, "`targets` of a batch to be a tensor"),
        ((*OK, None), TypeError, "`mask` of a batch to be a tensor"),
        ((*OK, *[torch.ones(2, 4)] * 2, 3), TypeError, "`info` of a batch to be a mapping"),
        ((OK[0], OK[1][0]), ValueError, r"as \(batch, time, ...\)"),
        ((OK[0], OK[1][:, :3]), ValueError, "`targets` of classes"),
        ((OK[0], torch.rand(2, 4)), ValueError, "`targets` of classes"),
        ((*OK, torch.ones(2, 3)), ValueError, "`mask` of shape"),
        ((*OK, torch.zeros(2, 4)), ValueError, "somewhere above 0"),
        ((*OK, -torch.ones(2, 4)), ValueError, "weights 0 or more"),
        ((OK[0] / 0, OK[1]), ValueError, "`x` to be finite"),
        ((OK[0], OK[1] + 3), ValueError, "classes from 0 to 2, as the network has 3 outputs, got values from 3 to 3"),
    ],
)
def test_batches_that_do_not_fit(batch, kind, message):
    with pytest.raises(kind, match=message):
        loss_of(model(Fixed()), batch)


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int32])
def test_classes_may_be_of_any_whole_type(kind):
    x, classes = torch.rand(2, 4, 3), torch.randint(2, (2, 4))
    torch.testing.assert_close(loss_of(model(Fixed()), (x, classes.to(kind))), loss_of(model(Fixed()), (x, classes)))


def test_a_term_is_not_called_as_what_is_logged_anyway():
    with pytest.raises(ValueError, match=r"of other names than what is logged, got \['loss'\]"):
        model(loss=WeightedLoss({"loss": TaskLoss()}, {"loss": 1.0}))


def test_terms_see_the_rates_of_a_loop_with_spiking_neurons():
    areas = cx.rates.MultiArea({"v1": 6, "pfc": 4})
    net = cx.bridge.RateLoop(CTRNN(3 + 5, 10, output_size=3, areas=areas), cx.LIF(), area="pfc", size=5)
    terms = {"task": TaskLoss(partial(F.cross_entropy, reduction="none")), "rate": RateMagnitude()}
    learner = model(net, loss=WeightedLoss(terms, {"task": 1.0, "rate": 1.0}))
    plain = loss_of(model(net), OK)
    rates, state = [], None
    for x in OK[0].movedim(1, 0):
        _, state = net(x[None], state, dt=20.0)
        rates.append(state.rates.rate)
    torch.testing.assert_close(loss_of(learner, OK), plain + torch.stack(rates).square().mean())


def test_several_criteria_keep_apart_what_they_save(tmp_path):
    stops = [Criterion(above=0.9), Criterion(above=0.5, monitor="val/accuracy/dots")]
    trainer(tmp_path, callbacks=stops)
    assert stops[0].state_key != stops[1].state_key


def test_outputs_that_do_not_fit():
    class Last(nn.Module):
        def forward(self, xs, state=None, *, dt=1.0):
            return xs[-1], None

    with pytest.raises(ValueError, match=r"the output as \(time, batch, outputs\)"):
        loss_of(model(Last()), OK)


@pytest.mark.parametrize("groups", [("task", "dots"), ("task", []), ("task",)])
def test_groups_without_names(groups):
    with pytest.raises(ValueError, match="Expected `groups` as the name"):
        model(groups=groups)


def test_an_info_that_is_missing(tmp_path):
    learner = model(psychometric={"cohernce": PsychometricCurve()})
    with pytest.raises(ValueError, match=r"`info` of a batch to hold 'cohernce'.*'coherence'"):
        trainer(tmp_path).test(learner, datamodule=data(), verbose=False)


def test_a_report_of_another_module(tmp_path):
    from lightning.pytorch.demos.boring_classes import BoringModel

    with pytest.raises(TypeError, match="`SequenceReport` to see a SequenceTask, got BoringModel"):
        trainer(tmp_path, callbacks=[SequenceReport(tmp_path)], limit_test_batches=1).test(BoringModel(), verbose=False)


def test_a_criterion_of_what_is_not_logged(tmp_path):
    with pytest.raises(ValueError, match="`monitor` to be logged in validation, got 'val/acc'"):
        trainer(tmp_path, max_epochs=1, limit_train_batches=1, callbacks=[Criterion(above=0.5, monitor="val/acc")]).fit(
            model(), datamodule=data()
        )
    with pytest.raises(ValueError, match="`over` to be at least 1"):
        Criterion(above=0.5, over=0)

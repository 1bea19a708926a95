"""Decisions and several tasks, end to end and small: they learn, keep Dale's law, and leave a report and pictures."""

import json

import pytest
import torch

import conex_nn as cx
from tasks import decision, multitask


@pytest.mark.long
def test_decision_leaves_a_report_and_pictures(tmp_path):
    config = decision.Config(epochs=1, batches=4, batch_size=16, neurons=20, out=tmp_path, seed=3)
    returned = decision.main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report == returned
    assert 0 <= report["accuracy"] <= 1
    assert report["dale_violations"] == 0
    assert not report["criterion_reached"]
    assert report["seed"] == 3
    curve = report["psychometric"]["coherence"]
    assert sum(curve["count"]) + curve["undecided"] == 2000
    pictures = {"psychometric.png", "trial.png", "learning.png", "activity.png", "weights.png"}
    assert pictures <= {path.name for path in tmp_path.iterdir()}


def test_violations_are_counted():
    net = decision.build(decision.Config(neurons=10), inputs=3, outputs=3)
    signs = cx.rates.ei_signs(10)
    assert decision.violations(net, signs) == 0
    plain = cx.rates.CTRNN(3, 10, output_size=1, bias=False)
    plain.recurrent.weight.data.zero_()
    plain.readout.weight.data.zero_()
    plain.recurrent.weight.data[0, 1] = -1.0  # an excitatory neuron that inhibits
    plain.recurrent.weight.data[2, 2] = 1.0  # one that excites itself
    plain.readout.weight.data[0, 9] = 1.0  # an inhibitory one that is read out
    assert decision.violations(plain, signs) == 3


def test_the_network_starts_in_balance():
    torch.manual_seed(0)
    net = decision.build(decision.Config(), inputs=3, outputs=3)
    weight = net.recurrent.weight.detach()
    excitation, inhibition = weight[:, :80].sum(1), -weight[:, 80:].sum(1)
    assert (excitation.mean() / inhibition.mean()).item() == pytest.approx(1, abs=0.05)
    assert torch.linalg.eigvals(weight).abs().max().item() == pytest.approx(1, abs=1e-3)


def test_selectivity_is_the_difference_in_standard_deviations():
    trials = cx.data.PerceptualDecision().trials(400, generator=torch.Generator().manual_seed(0))
    right = (trials.info["choice"] == 2).float()
    rates = torch.randn(60, 400, 2) + torch.stack([2 * right, 0 * right], -1)
    first, second = decision.selectivity(rates, trials).tolist()
    assert first == pytest.approx(2 * 10**0.5, rel=0.2)  # of a mean over ten steps
    assert abs(second) < 0.5


@pytest.mark.long
def test_multitask_leaves_a_report_and_pictures(tmp_path):
    config = multitask.Config(epochs=1, batches=2, batch_size=16, neurons=16, out=tmp_path)
    report = multitask.main(config)
    assert {f"accuracy/{name}" for name in ("dots", "context", "match", "comparison")} <= report.keys()
    assert {"tasks.png", "variance.png", "learning.png", "trial.png"} <= {path.name for path in tmp_path.iterdir()}


def test_task_variance_tells_which_neuron_varies_in_which_task():
    mixed = cx.data.MultiTask(multitask.tasks(20.0))
    net = cx.rates.CTRNN(len(mixed.input_names), 3, output_size=3, tau=20.0)
    for layer in (net.input, net.recurrent):
        layer.weight.data.zero_()
        layer.bias.data.zero_()
    net.input.weight.data[0, 4] = 1.0  # an input that only decisions in context use
    net.input.weight.data[1, 1] = 1.0  # one that all use
    found = multitask.task_variance(net, mixed, seed=0)
    assert found.shape == (4, 3)
    assert found[1, 0] > 0.1 * found[1].max()
    assert (found[:, 1] > 0).all()
    assert not found[:, 2].any()


@pytest.mark.parametrize("option", [{"epochs": 0}, {"batch_size": 0}])
def test_options_out_of_range_are_refused(option):
    for task in (decision, multitask):
        with pytest.raises(ValueError, match=f"Expected `{next(iter(option))}` to be"):
            task.Config(**option)


def test_a_network_of_one_kind_is_refused():
    with pytest.raises(ValueError, match="`excitatory` to leave neurons of both kinds"):
        decision.Config(excitatory=1.0)

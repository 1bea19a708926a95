"""Samples of unequal length in one batch: scores, losses and metrics are those of each sample alone."""

from functools import partial

import pytest
import snntorch.functional
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader

import conex_nn as cx
from conex_nn.encoders.events import Events
from conex_nn.training import (
    Activity,
    DecisionLatency,
    FiringRate,
    LabelAssignment,
    OnSequence,
    RateTarget,
    Report,
    Sparsity,
    first_spike,
    last_membrane,
    max_membrane,
    mean_membrane,
    running_scores,
    spike_count,
)
from conex_nn.training.batch_checks import check_batch
from conex_nn.training.padding import decode_padded, own_values, step_mask

from .stripes import CLASSES, FEATURES, classifier, trainer

LENGTHS = torch.tensor([4, 9, 1, 6, 4])
LABELS = torch.tensor([0, 1, 2, 0, 1])
STEPS = 9


def spiking_net() -> cx.Sequential:
    torch.manual_seed(3)
    layers = (
        nn.Linear(FEATURES, 12),
        cx.LIF(tau_mem=5.0, resistance=5.0),
        nn.Linear(12, CLASSES),
        cx.LIF(resistance=9.0),
    )
    return cx.Sequential(*layers)


def conv_net() -> cx.Sequential:
    torch.manual_seed(3)
    front = nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 5, 3, padding=1), nn.BatchNorm2d(5), cx.LIF(resistance=9.0)
    return cx.Sequential(*front, nn.Flatten(), nn.Linear(30, CLASSES), cx.LIF(resistance=9.0))


def cortex() -> cx.Neocortex:
    torch.manual_seed(3)
    it = cx.CorticalColumn(e=cx.Population(CLASSES, cx.LIF(resistance=20.0)))
    net = cx.Neocortex(eye=cx.InputLayer(FEATURES), v1=cx.Population(7, cx.LIF(resistance=20.0)), it=it)
    net.connect("eye", "v1", cx.Dense)
    net.connect("v1", "v1", cx.Sparse, density=0.4)
    net.connect("v1", "it.e", cx.Dense, latency=2)
    return net


def excited(net: nn.Module) -> nn.Module:
    """Let all weights excite, so that every layer fires."""
    for parameter in net.parameters():
        parameter.data.abs_()
    return net


NETS = {"dense": spiking_net, "convolution": conv_net, "cortex": cortex}


def padded(fill: float = 0.0) -> torch.Tensor:
    x = (torch.rand(len(LENGTHS), STEPS, FEATURES, generator=torch.Generator().manual_seed(1)) < 0.6).float()
    x[~step_mask(LENGTHS, steps=STEPS).T] = fill
    return x


def alone(x: torch.Tensor, sample: int) -> torch.Tensor:
    return x[sample : sample + 1, : LENGTHS[sample]]


def loader(*batches) -> DataLoader:
    return DataLoader(list(batches), batch_size=None)


def model(net: nn.Module, **options) -> cx.training.SpikingClassifier:
    readout = "it.e" if isinstance(net, cx.Neocortex) else None
    return classifier(net, readout=readout, **{"decode": spike_count, **options}).eval()


@pytest.mark.parametrize("decode", [spike_count, mean_membrane, max_membrane, last_membrane, first_spike])
@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_scores_are_those_of_each_sample_alone(name, decode, fill):
    own = model(excited(NETS[name]()), decode=decode)
    x = padded(fill)
    scores = own(x, LENGTHS)
    if fill and decode is spike_count:
        assert ((own(x) - scores).abs().amax(1) > 0)[LENGTHS < STEPS].all()  # without lengths, padding is decoded
    for sample in range(len(LENGTHS)):
        assert_close(scores[sample : sample + 1], own(alone(x, sample)))
    assert_close(own.predict_step((x, LABELS, LENGTHS), 0), scores)
    outputs = own.outputs(x)
    assert_close(decode_padded(decode, outputs, LENGTHS), scores)


def test_each_decoder_would_see_the_padding():
    outputs = torch.ones(STEPS, 1, 2)
    outputs[3:] = 2.0
    for decode in (spike_count, mean_membrane, max_membrane, last_membrane):
        assert not torch.allclose(decode(outputs), decode(outputs[:3]))


LOSSES = {
    "scores": nn.functional.cross_entropy,
    "snntorch": snntorch.functional.ce_rate_loss(),
    "sequence": OnSequence(lambda outputs, labels: nn.functional.cross_entropy(outputs.mean(0), labels)),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_and_its_gradient_are_the_mean_over_samples_alone(loss, tmp_path):
    own = model(spiking_net(), loss=LOSSES[loss])
    x = padded(1.0)

    def gradient(*batches):
        own.zero_grad()
        total = 0.0
        for each, labels, lengths in batches:
            outputs = own.outputs(each)
            scores = own._scores(outputs, lengths)
            value = own._loss(outputs, scores, labels, lengths) * (len(labels) / len(LABELS))
            value.backward()
            total += value.detach()
        return total, [parameter.grad.clone() for parameter in own.parameters()]

    together = gradient((x, LABELS, LENGTHS))
    apart = gradient(*[(alone(x, sample), LABELS[sample : sample + 1], None) for sample in range(len(LENGTHS))])
    assert_close(together, apart)


@pytest.mark.parametrize("name", NETS)
def test_metrics_are_those_of_each_sample_alone(name, tmp_path):
    x = padded(1.0)
    rows = [(alone(x, sample), LABELS[sample : sample + 1]) for sample in range(len(LENGTHS))]
    found = {}
    for kind, batches in {"together": [(x, LABELS, LENGTHS)], "apart": rows}.items():
        own = model(NETS[name](), decode=partial(_scaled_count))
        run = trainer(tmp_path)
        run.test(own, loader(*batches), verbose=False)
        found[kind] = {key: float(value) for key, value in run.callback_metrics.items()}
    assert {"test/loss", "test/accuracy", "test/sparsity", "test/synaptic_operations", "test/latency"} <= set(
        found["together"]
    )
    assert any(key.startswith("test/rate/") and value > 0 for key, value in found["together"].items())
    assert found["together"] == pytest.approx(found["apart"], rel=1e-5)


def _scaled_count(outputs):
    return spike_count(outputs) * 0.3


def test_blocks_of_time_are_counted_alike():
    x = padded(1.0).movedim(1, 0)
    counts = []
    for options in ({}, {"detach_every": 2}):
        net = conv_net().eval()
        activity = Activity(net)
        with torch.no_grad(), activity.watch(net, samples=len(LENGTHS), lengths=LENGTHS):
            net(x, **options)
        counts.append(activity())
    assert_close(counts[0], counts[1])
    assert counts[0]["synaptic_operations"] > 0


def test_metrics_take_masks():
    spikes = torch.ones(STEPS, len(LENGTHS), 2)
    mask = step_mask(LENGTHS, steps=STEPS)
    spikes[:, 0] = 0
    rate, sparsity = FiringRate(dt=2.0), Sparsity()
    rate.update(spikes, mask)
    sparsity.update(spikes, mask)
    own = int(LENGTHS.sum())
    assert_close(rate.compute(), torch.tensor((own - 4) / own * 500))
    assert_close(sparsity.compute(), torch.tensor(4 / own))


def test_latency_ends_with_the_sample():
    outputs = torch.zeros(5, 2, 2)
    outputs[1, 0, 1] = 1  # decided after 2 of 3 steps; what follows is padding
    outputs[4, 0, 0] = 5
    outputs[4, 1, 0] = 1
    latency = DecisionLatency()
    latency.update(running_scores(outputs, decode=spike_count), torch.tensor([3, 4]))
    assert latency.compute() == (2 + 4) / 2  # the second has none: its whole duration


def test_training_on_padded_batches_is_training_on_each_sample(tmp_path):
    """One step on a padded batch, what is in the padding notwithstanding, with regularisers and responses gathered."""
    weights, gathered = [], []
    for fill in (0.0, 1.0):
        own = classifier(
            excited(spiking_net()),
            decode=spike_count,
            assignment=LabelAssignment(CLASSES),
            regularisers={"rate": RateTarget(rate=100.0, weight=30.0)},
            optimizer=partial(torch.optim.SGD, lr=0.1),
        )
        trainer(tmp_path, max_epochs=1).fit(own, loader((padded(fill), LABELS, LENGTHS)))
        weights.append([parameter.detach() for parameter in own.net.parameters()])
        gathered.append(own.assignment.responses)
    assert_close(weights[0], weights[1])
    assert_close(gathered[0], gathered[1])
    assert not torch.equal(weights[0][0], excited(spiking_net())[0].weight)
    assert gathered[0].sum() > 0


def test_regularisers_get_own_steps_alone():
    xs = torch.arange(STEPS * len(LENGTHS)).view(STEPS, -1, 1).float()
    own = own_values(xs, LENGTHS)
    assert_close(own, torch.cat([xs[: LENGTHS[sample], sample] for sample in range(len(LENGTHS))]).unsqueeze(1))
    assert own_values(xs, None) is xs


def test_a_report_shows_a_sample_without_its_padding(tmp_path):
    own = model(spiking_net())
    report = Report(tmp_path, show=False)
    trainer(tmp_path, callbacks=[report]).test(own, loader((padded(1.0), LABELS, LENGTHS)), verbose=False)
    assert (tmp_path / "raster.png").exists()
    report.on_test_batch_end(trainer(tmp_path), own, None, (padded(), LABELS, LENGTHS), 0)
    assert report._sample[0].shape == (1, 4, FEATURES)


def test_a_bad_batch_is_told_of_with_a_report_as_well(tmp_path):
    own, report = model(spiking_net()), Report(tmp_path, show=False)
    samples = [torch.zeros(int(length), FEATURES) for length in LENGTHS]
    with pytest.raises(ValueError, match="Pad them and give their lengths along"):
        trainer(tmp_path, callbacks=[report]).test(own, loader((samples, LABELS)), verbose=False)


def test_recordings_without_an_encoder():
    t = torch.arange(4)
    with pytest.raises(TypeError, match=r"x to be a tensor, or several by address, got Events\. An encoder makes"):
        check_batch((Events(t, t, t % 2, t, torch.tensor([0, 2, 4])), torch.tensor([0, 1])), num_classes=CLASSES)


def test_rules_do_not_learn_from_padding(tmp_path):
    net = spiking_net()
    cx.plasticity.attach(cx.STDP(), synapse=net[0], neuron=net[1], gradient=False)
    own = classifier(net, decode=spike_count)
    with pytest.raises(ValueError, match=r"rules learn at every step, got 1 to 9 steps in one batch, and '0\.weight'"):
        trainer(tmp_path, max_epochs=1).fit(own, loader((padded(), LABELS, LENGTHS)))
    full = torch.full_like(LENGTHS, STEPS)
    trainer(tmp_path, max_epochs=1).fit(classifier(net, decode=spike_count), loader((padded(), LABELS, full)))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([4, 9, 0, 6, 4]), "`lengths` to be from 1 to 9, the steps of `x`, got values from 0 to 9"),
        (torch.tensor([4, 10, 1, 6, 4]), "got values from 1 to 10"),
        (torch.tensor([4, 9]), r"`lengths` of shape \(5,\), one per sample, got \(2,\)"),
    ],
)
def test_unsuitable_lengths(lengths, message):
    with pytest.raises(ValueError, match=message):
        check_batch((padded(), LABELS, lengths), num_classes=CLASSES)


def test_unequal_lengths_without_a_mask():
    samples = [torch.zeros(int(length), FEATURES) for length in LENGTHS]
    with pytest.raises(ValueError, match=r"got a list of 5, from 1 to 9 steps long. Pad them .*collate_fn=pad_batch"):
        check_batch((samples, LABELS), num_classes=CLASSES)


def test_a_net_that_mixes_samples_is_found():

    net = cx.Sequential(nn.Linear(FEATURES, 5), cx.LIF())
    activity = Activity(net)
    with (
        pytest.raises(ValueError, match="keep its 5 samples apart"),
        activity.watch(net, samples=5, lengths=LENGTHS),
    ):
        net(padded()[:3].movedim(1, 0))

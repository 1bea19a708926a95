"""Convolutional STDP features: the rule, who learns, the retina, the readout, and the task from end to end."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from conex_nn.plasticity import Product, chain, learn
from tasks.features import run
from tasks.features.linear_probe import fit_probe
from tasks.features.pictures import on_pixels
from tasks.first_spikes.layer import (
    FirstSpikeSTDP,
    Layer,
    LayerRecipe,
    first_few,
    forget,
    in_parts,
    retina,
    rule,
    see,
    teach,
)


@pytest.mark.long
def test_the_task_leaves_a_report_and_pictures(tmp_path):
    config = run.Config(epochs=3, images=400, ablation=100, out=tmp_path, seed=2)
    returned = run.main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(returned["accuracy"])
    assert report["accuracy"] > 0.6  # chance is 0.1
    assert report["seconds"] > 0
    assert report["seed"] == 2
    assert report["config"]["images"] == 400
    assert {"python", "torch", "lightning", "conex_nn"} <= set(report["versions"])
    assert {"learned", "learned, shuffled", "untrained", "raw pixels"} < set(report["ablation"])
    pictures = {"layer1.png", "layer2.png", "convergence.png", "confusion.png"}
    assert pictures <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.long
def test_the_test_part_is_no_part_of_what_is_learned(monkeypatch, tmp_path):
    """Other test images change the test accuracy, and nothing else."""

    def learn_and_test(spoil, out):
        load = run.load

        def spoilt(config):
            parts = load(config)
            return replace(parts, test=(1 - parts.test[0], parts.test[1])) if spoil else parts

        with monkeypatch.context() as patch:
            patch.setattr(run, "load", spoilt)
            return run.main(run.Config(epochs=1, images=40, ablation=0, out=tmp_path / out))

    true, other = learn_and_test(spoil=False, out="true"), learn_and_test(spoil=True, out="other")
    assert true["accuracy"] != other["accuracy"]
    assert true["validation_accuracy"] == other["validation_accuracy"]
    assert true["undecided"] == other["undecided"]


def test_the_rule_is_that_of_the_paper():
    """Three sources: one fires before the target, one with it, one after; a fourth never does."""
    pre, post = torch.zeros(4, 1, 4), torch.zeros(4, 1, 1)
    pre[0, 0, 0] = pre[2, 0, 1] = pre[3, 0, 2] = post[2] = 1
    layer = nn.Linear(4, 1, bias=False)
    weight = torch.tensor([[0.8, 0.5, 0.5, 0.1]])
    layer.weight.data = weight.clone()
    learn(chain(FirstSpikeSTDP(a_plus=0.004, a_minus=0.003), Product(0, 1)), layer, None, pre, post)
    change = torch.tensor([[0.004 * 0.8 * 0.2, 0.004 * 0.5 * 0.5, -0.003 * 0.5 * 0.5, -0.003 * 0.1 * 0.9]])
    torch.testing.assert_close(layer.weight.data, weight + change)


def test_the_rule_learns_from_halves_what_it_learns_from_the_whole():
    torch.manual_seed(0)
    layer = Layer((2, 6, 6), RECIPE, time=8, faintest=0.05)
    pre, _, post = layer.wave(torch.rand(3, 2, 6, 6))
    assert post.any()
    whole, _ = FirstSpikeSTDP().update(layer.synapse, None, pre, post)
    first, state = FirstSpikeSTDP().update(layer.synapse, None, pre[:4], post[:4])
    second, _ = FirstSpikeSTDP().update(layer.synapse, state, pre[4:], post[4:])
    torch.testing.assert_close(first + second, whole)


def test_the_rate_doubles_and_stops():
    """An update is the sum over its images, at a rate that doubles every 16 images until strengthening is 0.15."""
    layer, learning = nn.Linear(1, 1, bias=False), rule(batch_size=8, double=16)
    spikes = torch.ones(1, 8, 1)
    changes = []
    for _ in range(20):
        layer.weight.data.fill_(0.5)
        learn(learning, layer, None, spikes, spikes)
        changes.append(layer.weight.item() - 0.5)
    first = 8 * 0.004 * 0.25
    expected = [first, first, 2 * first, 2 * first, 4 * first, 4 * first]
    assert changes[:6] == pytest.approx(expected, rel=1e-4)
    assert changes[-1] == pytest.approx(8 * 0.15 * 0.25, rel=1e-4)


def test_the_earliest_learn_and_of_equals_those_of_the_highest_potential():
    spikes, current = torch.zeros(2, 3, 1, 4, 1, 9)
    spikes[1, 0, 0, 0, 0] = 1
    spikes[0, 0, 1, 0, 3] = 1
    spikes[0, 0, 2, 0, 6] = 1
    current[0] = 1
    current[0, 0, 2, 0, 6] = 2
    one, two, three = (first_few(current, spikes, count=k, radius=1) for k in (1, 2, 3))
    assert one.nonzero().tolist() == [[0, 0, 2, 0, 6]]
    assert two.nonzero().tolist() == [[0, 0, 1, 0, 3], [0, 0, 2, 0, 6]]
    assert torch.equal(three, spikes)


def test_no_two_of_a_map_or_a_neighbourhood_learn():
    torch.manual_seed(1)
    current = torch.rand(6, 5, 7, 9, 9)
    time = torch.randint(0, 7, (5, 7, 9, 9))  # 6: never
    spikes = (torch.arange(6).view(6, 1, 1, 1, 1) == time).float()
    count, radius = 4, 1
    winners = first_few(current, spikes, count=count, radius=radius)
    assert torch.equal(winners * spikes, winners)
    who = winners.sum(0)
    assert who.sum((1, 2, 3)).tolist() == [count] * 5
    assert who.sum((2, 3)).max() == 1  # of a map
    assert who.sum(1).max() == 1  # of a place
    near = torch.nn.functional.avg_pool2d(who.sum(1, keepdim=True), 2 * radius + 1, 1, radius, divisor_override=1)
    assert (near * who.sum(1, keepdim=True)).max() == 1  # of a neighbourhood


def test_fewer_learn_where_fewer_fire():
    spikes = torch.zeros(2, 2, 3, 4, 4)
    spikes[0, 1, 0, 0, 0] = 1
    winners = first_few(torch.ones_like(spikes), spikes, count=3, radius=1)
    assert torch.equal(winners, spikes)


RECIPE = LayerRecipe(channels=4, kernel=3, threshold=4.0, winners=2, radius=1, grid=2)


def test_neurons_fire_once_when_their_input_reaches_the_threshold():
    torch.manual_seed(0)
    layer = Layer((2, 6, 6), RECIPE, time=8, faintest=0.05)
    _, current, spikes = layer.wave(torch.rand(3, 2, 6, 6))
    assert spikes.sum(0).max() == 1
    reached = current.cumsum(0) >= 4.0
    expected = reached & (reached.cumsum(0) == 1)
    assert torch.equal(spikes > 0, expected)


def test_the_next_layer_sees_the_times_of_the_last():
    """How early a map fires, 1 - step / time, is encoded as that step again; what never fires stays silent."""
    time = 12
    layer = Layer((1, 1, time + 1), LayerRecipe(channels=1, kernel=1, threshold=1.0, winners=1, radius=0, grid=1),
                  time=time, faintest=0.5 / time)  # fmt: skip
    early = torch.cat([layer.earliness, torch.zeros(1)]).view(1, 1, 1, time + 1)
    pre, _, _ = layer.wave(early)
    assert torch.equal(pre[:, 0, 0, 0], torch.eye(time, time + 1))


def test_where_one_map_fires_first_the_others_are_silent():
    torch.manual_seed(0)
    layer = Layer((2, 6, 6), RECIPE, time=8, faintest=0.05)
    layer.synapse.weight.data[0] = 1.0  # this one always gets the most
    layer.synapse.weight.data[1:] = 0.3
    images = torch.rand(3, 2, 6, 6)
    early = layer(images)
    spikes = layer.wave(images)[2].amax(0)
    both = (spikes[:, 0] > 0) & (spikes[:, 1:] > 0).any(1)
    assert both.any()
    assert ((early > 0).sum(1)[early[:, 0] > early[:, 1]] == 1).all()
    assert (early[:, 1:] < spikes[:, 1:]).any()


def test_a_map_comes_to_wait_for_what_it_sees_again_and_again():
    """The middle row is lit in every image, other pixels by chance; no one says so."""
    torch.manual_seed(0)
    row = torch.tensor([0.0, 1.0, 0.0]).view(3, 1).expand(3, 3)
    images = torch.maximum((torch.rand(1500, 1, 3, 3) < 0.2).float(), row)
    sizes = LayerRecipe(channels=1, kernel=3, threshold=1.5, winners=1, radius=0, grid=1)
    layer = Layer((1, 3, 3), sizes, time=4, faintest=0.5)
    undecided = teach(layer, images, batch_size=4, double=200)
    assert undecided[-1] < 0.2 * undecided[0]
    torch.testing.assert_close(layer.synapse.weight.detach()[0, 0], row, atol=0.1, rtol=0)


def test_the_retina_sees_contrast_and_no_even_ground():
    cells = retina(3, 0.5, 1.0)
    images = torch.zeros(2, 1, 9, 9)
    images[0, 0, 4, 4] = 1
    images[1] = 0.7
    seen = see(cells, images)
    assert seen[0, 0].argmax() == 40  # on cells at the spot, off cells around it
    assert seen[0, 1, 4, 4] == 0
    assert seen[0, 1, 4, 5] > 0
    torch.testing.assert_close(cells(images)[1, :, 2:7, 2:7], torch.zeros(2, 5, 5))
    assert see(cells, torch.zeros(1, 1, 9, 9)).max() == 0


def test_parts_make_the_whole():
    x = torch.rand(70, 3)
    assert torch.equal(in_parts(lambda part: part * 2, x, title="twice"), x * 2)


def test_weights_are_drawn_as_in_the_paper():
    weight = forget(torch.empty(10_000))
    assert weight.mean().item() == pytest.approx(0.8, abs=0.005)
    assert weight.std().item() == pytest.approx(0.05, abs=0.005)
    assert weight.max() <= 1


def test_receptive_fields_on_pixels_are_what_drives_the_map():
    """The picture of a map is the gradient of its summed input with respect to the image, where nothing saturates."""
    torch.manual_seed(0)
    cells = retina(3, 0.5, 1.0)
    layer = Layer((2, 9, 9), RECIPE, time=8, faintest=0.05)
    field = on_pixels(cells, [layer])[1]
    image = torch.rand(1, 1, 9, 9, requires_grad=True)
    layer.synapse(cells(image))[0, 1, 3, 3].backward()
    torch.testing.assert_close(image.grad[0, 0, 2:7, 2:7], field)


def test_the_readout_finds_what_is_linear_and_validation_chooses():
    torch.manual_seed(0)
    x = torch.randn(600, 5)
    labels = (x[:, 0] > x[:, 1]).long()
    part, rest = (x[:400], labels[:400]), (x[400:500], labels[400:500])
    probe = fit_probe(*part, rest, classes=2, epochs=30, lr=0.03, weight_decays=(30.0, 0.01))
    assert probe.weight_decay == 0.01
    assert (probe.predict(x[500:]) == labels[500:]).float().mean() > 0.9
    assert probe.validation == pytest.approx((probe.predict(rest[0]) == rest[1]).float().mean().item())


@pytest.mark.parametrize("name", ["epochs", "images", "batch_size"])
def test_numbers_out_of_range_are_named(name):
    with pytest.raises(ValueError, match=f"`{name}` to be at least 1, got 0"):
        run.Config(**{name: 0})
    with pytest.raises(ValueError, match="`ablation` to be 0 or more"):
        run.Config(ablation=-1)

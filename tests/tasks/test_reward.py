"""Decisions by reward: what reward and punishment change, who decides, how features fire, and the task end to end."""

import json

import pytest
import torch

from tasks.first_spikes.layer import Layer, LayerRecipe
from tasks.reward import run
from tasks.reward.decision import Amounts, Decision, Shares, Teacher, right_or_wrong

AMOUNTS = Amounts(rewarded=(0.4, 0.3), punished=(0.2, 0.1))
WEIGHT = torch.tensor([[0.5, 0.8, 0.2], [0.6, 0.3, 0.9]])


def _taught(fired, labels, **options):
    """Return the change of two neurons, one of each of two classes, of three sources."""
    decision = Decision(3, classes=2, maps=1)
    decision.synapse.weight.data.copy_(WEIGHT)
    teacher = Teacher(decision, classes=2, amounts=AMOUNTS, batch_size=len(fired), dropout=0.0, **options)
    teacher.teach(torch.tensor(fired), torch.tensor(labels))
    return decision.synapse.weight.detach() - WEIGHT


def _bound(weight):
    return weight * (1 - weight)


def test_a_reward_strengthens_what_has_fired_and_weakens_the_rest():
    # 0.5 + 0.8 > 0.6 + 0.3: neuron 0 decides, class 0. Half of the decisions before were misses, by chance.
    change = _taught([[1.0, 1.0, 0.0]], [0])
    by_hand = 0.5 * torch.tensor([0.4 * _bound(0.5), 0.4 * _bound(0.8), -0.3 * _bound(0.2)])
    torch.testing.assert_close(change, torch.stack([by_hand, torch.zeros(3)]))


def test_a_punishment_weakens_what_has_fired_and_strengthens_the_rest():
    change = _taught([[1.0, 1.0, 0.0]], [1])
    by_hand = 0.5 * torch.tensor([-0.2 * _bound(0.5), -0.2 * _bound(0.8), 0.1 * _bound(0.2)])
    torch.testing.assert_close(change, torch.stack([by_hand, torch.zeros(3)]))


def test_a_batch_of_both_counts_each_image_in_full():
    # The second image: 0.3 + 0.9 > 0.8 + 0.2, neuron 1 decides, wrongly; neither sees what the other changed.
    both = _taught([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], [0, 0])
    torch.testing.assert_close(both, _taught([[1.0, 1.0, 0.0]], [0]) + _taught([[0.0, 1.0, 1.0]], [0]))


def test_no_decision_teaches_nothing():
    assert _taught([[0.0, 0.0, 0.0]], [0]).eq(0).all()


def test_the_payoff_and_the_rate_are_the_users_to_choose():
    rewarded = _taught([[1.0, 1.0, 0.0]], [0])
    torch.testing.assert_close(_taught([[1.0, 1.0, 0.0]], [1], payoff=run.no_reward), rewarded)
    torch.testing.assert_close(_taught([[1.0, 1.0, 0.0]], [0], rate=lambda updates: 0.5), rewarded / 2)


def test_the_winner_is_named_and_silence_is_no_decision():
    decision = Decision(3, classes=2, maps=2)
    weight = torch.tensor([[0.1, 0.0, 0.0], [0.9, 0.0, 0.0], [0.5, 0.8, 0.0], [0.5, 0.7, 0.0]])
    decision.synapse.weight.data.copy_(weight)
    spikes = decision(torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    assert spikes.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    named = decision.named(spikes)
    assert named.tolist() == [0, 1, -1]
    assert right_or_wrong(named, torch.tensor([0, 0, 0])).tolist() == [1, -1, 0]


def test_neurons_that_drop_out_do_not_decide():
    decision = Decision(1, classes=2, maps=1)
    decision.synapse.weight.data.copy_(torch.tensor([[0.9], [0.1]]))
    spikes = decision(torch.ones(400, 1), dropout=0.5)
    assert 0.15 < spikes[:, 1].mean() < 0.35  # the weaker decides where the stronger alone has dropped out
    assert 0.15 < 1 - spikes.sum(1).mean() < 0.35
    assert decision(torch.ones(400, 1))[:, 0].all()


def test_rewards_shrink_with_hits_and_punishments_with_misses():
    shares = Shares(4, window=4)
    first = shares(torch.tensor([1.0, -1.0]))  # one miss in two over half of the window
    assert first["reward"].tolist() == [[0.75, 0.0]]
    assert first["punishment"].tolist() == [[0.0, -0.25]]
    assert shares.misses.item() == 0.625
    assert shares(torch.ones(9))["reward"][0, 0].item() == 0.625
    assert shares.misses.item() == 0  # a batch longer than the window is the window


def test_where_maps_fire_at_once_the_highest_potential_is_alone():
    recipe = LayerRecipe(channels=3, kernel=1, threshold=1.0, winners=1, radius=0, grid=1)
    layer = Layer((2, 1, 1), recipe, time=2, faintest=0.1)
    weight = torch.tensor([[1.5, 0.0], [1.2, 0.9], [0.5, 1.4]])
    layer.synapse.weight.data.copy_(weight.view_as(layer.synapse.weight))
    both, first, late = torch.tensor([[1.0, 1.0], [1.0, 0.1], [0.0, 0.1]]).view(3, 2, 1, 1)
    alone = run.first_alone(layer, torch.stack([both, first, late])).flatten(1)
    # 2.1 is the highest of three at once; 1.5 of two at the first step, though the last adds to 2.1; 1.4 fires alone
    assert alone.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


@pytest.mark.long
def test_the_task_leaves_a_report_and_pictures(tmp_path):
    config = run.Config(epochs=3, images=400, maps=4, ablation=400, out=tmp_path, seed=2)
    returned = run.main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(returned["accuracy"])
    assert report["accuracy"] > 0.6  # chance is 0.1
    assert report["ablation"]["reward"] > report["ablation"]["no reward"] + 0.2
    assert report["silent"] < 0.01
    assert report["seconds"] > 0
    assert report["seed"] == 2
    assert len(report["history"]) == 3
    assert report["recipe"]["maps"] == 4
    assert {"python", "torch", "lightning", "conex_nn"} <= set(report["versions"])
    pictures = {"features.png", "decisions.png", "learning.png", "confusion.png"}
    assert pictures <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("option", [{"epochs": 0}, {"maps": 0}, {"dropout": 1.0}, {"ablation": -1}])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(ValueError, match=f"Expected `{next(iter(option))}` to be"):
        run.Config(**option)

"""Labels by response."""

import pytest
import torch
from torch import nn

from conex_nn.training import LabelAssignment

COUNTS = torch.tensor([[4.0, 0.0, 1.0, 0.0], [2.0, 0.0, 3.0, 0.0], [0.0, 1.0, 5.0, 0.0], [1.0, 9.0, 2.0, 0.0]])
LABELS = torch.tensor([0, 0, 1, 2])


def _assigned(**options):
    assignment = LabelAssignment(3, **options)
    assignment.update(COUNTS, LABELS)
    return assignment


def test_a_neuron_has_the_class_of_its_largest_mean_response():
    assert _assigned().compute().tolist() == [0, 2, 1, -1]  # means: 3 0 1; 0 1 9; 2 5 2; nothing


def test_the_number_of_samples_of_a_class_does_not_matter():
    assignment = LabelAssignment(2)
    assignment.update(torch.tensor([[1.0, 3.0], [1.0, 3.0], [1.0, 3.0], [2.0, 2.0]]), torch.tensor([0, 0, 0, 1]))
    assert assignment.compute().tolist() == [1, 0]


def test_scores_are_means_over_the_neurons_of_a_class():
    assignment = LabelAssignment(3)
    assignment.update(torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]), torch.tensor([0, 1]))
    scores = assignment.scores(torch.tensor([[2.0, 4.0, 5.0]]))
    torch.testing.assert_close(scores, torch.tensor([[3.0, 5.0, 2.0]]))  # no neuron of the last: below all others


def test_proportions_weigh_a_neuron_by_how_much_it_says_for_its_class():
    scores = _assigned(proportional=True).scores(torch.tensor([[2.0, 10.0, 9.0, 7.0]]))
    want = torch.tensor([[2.0 * 3 / 4, 9.0 * 5 / 9, 10.0 * 9 / 10]])
    torch.testing.assert_close(scores, want)


def test_batches_add_up_and_reset_forgets():
    parts = LabelAssignment(3)
    parts.update(COUNTS[:1], LABELS[:1])
    parts.update(COUNTS[1:], LABELS[1:])
    assert torch.equal(parts.responses, _assigned().responses)
    parts.reset()
    assert not parts.assigned
    parts.update(COUNTS[:, :2], LABELS)  # of another number of neurons, which it may be now
    assert parts.compute().tolist() == [0, 2]


def test_labels_live_in_the_state_dict():
    saved = nn.ModuleDict({"labels": _assigned()}).state_dict()
    again = nn.ModuleDict({"labels": LabelAssignment(3)})
    again.load_state_dict(saved)
    assert again["labels"].compute().tolist() == [0, 2, 1, -1]
    again["labels"].update(COUNTS, LABELS)
    assert saved["labels.samples"].tolist() == [2, 1, 1]  # what was loaded is not written to


def test_scores_let_gradients_through():
    responses = torch.ones(1, 4, requires_grad=True)
    _assigned().scores(responses)[0, 1].backward()
    assert responses.grad.tolist() == [[0, 0, 1, 0]]


def test_neurons_that_are_all_silent_say_nothing():
    assignment = LabelAssignment(2)
    assignment.update(torch.zeros(2, 3), torch.tensor([0, 1]))
    assert assignment.compute().tolist() == [-1, -1, -1]
    assert assignment.scores(torch.ones(1, 3)).unique().numel() == 1


def test_asked_before_any_response():
    with pytest.raises(ValueError, match=r"responses to assign labels by, got none yet. Train first"):
        LabelAssignment(3).scores(COUNTS)
    with pytest.raises(ValueError, match="got none yet"), pytest.warns(UserWarning, match="before the ``update``"):
        LabelAssignment(3).compute()


def test_a_class_that_never_occurs():
    assignment = LabelAssignment(4)
    assignment.update(COUNTS, LABELS)
    with pytest.warns(UserWarning, match="No sample of class 3 was seen: no neuron has that label"):
        assignment.compute()


@pytest.mark.parametrize(
    ("responses", "labels", "message"),
    [
        (COUNTS[:, :3], LABELS, r"\(batch, neurons\), 4 of them as before, got \(4, 3\)"),
        (COUNTS[None], LABELS, r"got \(1, 4, 4\). An output sequence .* by `spike_count`"),
        (COUNTS, LABELS[:3], r"one class per row of `responses`, got \(3,\)"),
        (COUNTS, LABELS + 1, "from 0 to 2, as `num_classes` = 3, got values from 1 to 3"),
        (COUNTS, LABELS - 1, "got values from -1 to 1"),
    ],
)
def test_unsuitable_responses_and_labels(responses, labels, message):
    with pytest.raises(ValueError, match=message):
        _assigned().update(responses, labels)


def test_other_neurons_when_asked():
    with pytest.raises(ValueError, match="4 of them as before"):
        _assigned().scores(COUNTS[:, :2])
    with pytest.raises(ValueError, match="`num_classes` to be at least 2"):
        LabelAssignment(1)


def test_a_class_that_never_occurs_is_nobodys():
    """Not even where every response is below 0, which is what the missing class has."""
    assignment = LabelAssignment(3)
    assignment.update(torch.tensor([[-1.0, -2.0], [-3.0, -1.0]]), torch.tensor([0, 1], dtype=torch.int32))
    with pytest.warns(UserWarning, match="class 2"):
        assert assignment.compute().tolist() == [0, 1]


def test_responses_that_spoil_the_sums():
    with pytest.raises(ValueError, match="finite"):
        LabelAssignment(3).update(torch.full_like(COUNTS, torch.nan), LABELS)
    with pytest.raises(ValueError, match="not negative"):
        LabelAssignment(3, proportional=True).update(-COUNTS - 1, LABELS)

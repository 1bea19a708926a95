import pytest
import torch
from torch.autograd import gradcheck

from conex_nn.training import (
    first_spike,
    last_membrane,
    max_membrane,
    mean_membrane,
    running_scores,
    spike_count,
)

DECODERS = [spike_count, mean_membrane, max_membrane, last_membrane, first_spike]


def _reference_first_spike(spikes):
    scores = torch.zeros(spikes.shape[1:], dtype=spikes.dtype)
    for sample, row in enumerate(spikes.unbind(1)):
        for neuron, train in enumerate(row.unbind(1)):
            times = train.nonzero().flatten()
            scores[sample, neuron] = len(train) - times[0] if len(times) else 0
    return scores


def test_first_spike_counts_the_steps_left():
    spikes = (torch.rand(15, 6, 4) < 0.1).double()
    assert (spikes.sum(0) == 0).any()
    torch.testing.assert_close(first_spike(spikes), _reference_first_spike(spikes))


def test_first_spike_tells_a_silent_neuron_when_to_fire():
    spikes = torch.zeros(4, 1, 2)
    spikes[2, 0, 1] = 1
    spikes.requires_grad_()
    first_spike(spikes).sum().backward()
    torch.testing.assert_close(spikes.grad[:, 0, 0], torch.tensor([4.0, 3.0, 2.0, 1.0]))
    # A spike before the first gains the difference; one after it changes nothing.
    torch.testing.assert_close(spikes.grad[:, 0, 1], torch.tensor([2.0, 1.0, 2.0, 0.0]))


@pytest.mark.parametrize("decode", DECODERS)
def test_gradients(decode):
    assert gradcheck(decode, torch.rand(5, 2, 3, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("decode", DECODERS)
def test_running_scores_are_those_of_shorter_sequences(decode):
    outputs = (torch.rand(6, 2, 3) < 0.3).float()
    scores = running_scores(outputs, decode=decode)
    assert scores.shape == outputs.shape
    for step in range(6):
        torch.testing.assert_close(scores[step], decode(outputs[: step + 1]))

import pytest
import torch

from conex_nn.training import DecisionLatency


def scores(*classes, count=3):
    """Running scores of one sample whose prediction after each step is given; None for no prediction."""
    rows = [[0.0] * count if index is None else [float(index == other) for other in range(count)] for index in classes]
    return torch.tensor(rows).unsqueeze(1)


@pytest.mark.parametrize(
    ("classes", "steps"),
    [
        ([1, 1, 1, 1], 1),
        ([0, 1, 1, 1], 2),
        ([1, 0, 1, 1], 3),
        ([0, 0, 0, 1], 4),
        ([None, None, 0, 0], 3),
        ([None, None, None, None], 4),
        ([1, None, 1, 1], 3),
        ([1, 1, 1, None], 4),
        ([2], 1),
    ],
)
def test_steps_until_the_decision(classes, steps):
    assert DecisionLatency(dt=0.5)(scores(*classes)) == 0.5 * steps


def test_mean_over_samples_and_batches():
    latency = DecisionLatency()
    latency.update(torch.cat([scores(0, 0, 0), scores(1, 0, 0)], 1))
    latency.update(scores(1, 1, 0))
    assert latency.compute() == 2.0


def test_dt_has_to_be_positive():
    with pytest.raises(ValueError, match=r"`dt` to be positive \[ms\], got -1"):
        DecisionLatency(dt=-1)

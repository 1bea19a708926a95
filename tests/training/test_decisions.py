"""Choices, their accuracy and psychometric curves, against hand counts and scipy."""

import math

import pytest
import torch
from scipy.optimize import minimize

from conex_nn.training import DecisionAccuracy, PsychometricCurve, choices, right_choices

# three steps of four samples; the last has no decision
OUTPUTS = torch.tensor(
    [
        [[9.0, 0, 0], [0, 9, 0], [0, 0, 0], [0, 1, 0]],
        [[0, 1, 2], [0, 3, 0], [1, 0, 0], [0, 1, 0]],
        [[0, 2, 0], [0, 0, 1], [1, 0, 3], [0, 1, 0]],
    ]
)
DECISION = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0]]).bool()
TARGETS = torch.tensor([[0, 0, 0, 0], [1, 2, 2, 1], [1, 1, 2, 1]])


def test_choices_by_hand():
    # sample 0: means (0, 1.5, 1); sample 1: only (0, 3, 0); sample 2: (1, 0, 1.5)
    assert choices(OUTPUTS, DECISION).tolist() == [1, 1, 2, -1]
    assert right_choices(TARGETS, DECISION).tolist() == [1, 2, 2, -1]


def test_an_output_may_be_infinite_before_the_decision():
    outputs = torch.tensor([[[torch.inf, 0.0]], [[0.0, 1.0]], [[-torch.inf, 1.0]]])
    assert choices(outputs, torch.tensor([[False], [True], [False]])).tolist() == [1]
    assert choices(outputs, torch.tensor([[False], [True], [True]])).tolist() == [1]


def test_accuracy_by_hand_over_batches():
    accuracy = DecisionAccuracy()
    accuracy.update(OUTPUTS, TARGETS, DECISION)
    assert float(accuracy.compute()) == pytest.approx(2 / 3)
    accuracy.update(OUTPUTS[:, :1], TARGETS[:, :1], DECISION[:, :1])
    assert float(accuracy.compute()) == pytest.approx(3 / 4)


def test_a_curve_counts_by_hand():
    curve = PsychometricCurve(negative=1, positive=2)
    curve.update(torch.tensor([1, 2, 2, 0]), torch.tensor([-0.1, -0.1, 0.2, 0.2]))
    curve.update(torch.tensor([2, 1, 2, 2]), torch.tensor([0.2, 0.2, math.nan, 0.2]))
    found = curve.compute()
    assert found.evidence.tolist() == pytest.approx([-0.1, 0.2])
    assert found.count.tolist() == [2, 4]  # without the sample that fixated, and that without evidence
    assert found.share.tolist() == [0.5, 0.75]
    assert found.undecided == 1
    # two points are fitted exactly: log odds 0 at -0.1 and log(3) at 0.2
    assert float(found.bias) == pytest.approx(-0.1, abs=1e-3)
    assert float(found.slope) == pytest.approx(math.log(3) / 0.3, rel=1e-2)
    assert float(found.threshold) == pytest.approx(0.3, rel=1e-2)


def test_the_fit_is_the_most_likely_logistic_function():
    generator = torch.Generator().manual_seed(3)
    evidence = torch.tensor([-0.16, -0.04, -0.01, 0.0, 0.01, 0.04, 0.16]).repeat(200)
    chosen = (torch.rand(len(evidence), generator=generator) < torch.sigmoid(30 * (evidence - 0.02))).long() + 1
    curve = PsychometricCurve()
    curve.update(chosen, evidence)
    found = curve.compute()
    x, y = evidence.double().numpy(), (chosen == 2).double().numpy()

    def cost(parameters):
        odds = torch.as_tensor(parameters[1] * (x - parameters[0]))
        return float(-(torch.as_tensor(y) * odds - torch.nn.functional.softplus(odds)).sum())

    best = minimize(cost, [0.0, 10.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9})
    assert float(found.bias) == pytest.approx(best.x[0], rel=1e-2, abs=1e-4)
    assert float(found.slope) == pytest.approx(best.x[1], rel=1e-2)
    assert float(found.slope) == pytest.approx(30, rel=0.2)


def test_choices_that_are_all_the_same_are_not_fitted():
    curve = PsychometricCurve()
    curve.update(torch.tensor([2, 2]), torch.tensor([-1.0, 1.0]))
    found = curve.compute()
    assert found.share.tolist() == [1, 1]
    assert found.slope.isnan()
    assert found.threshold.isnan()


def test_choices_that_are_all_right_have_a_finite_steep_curve():
    curve = PsychometricCurve()
    curve.update(torch.tensor([1, 2]).repeat(50), torch.tensor([-1.0, 1.0]).repeat(50))
    found = curve.compute()
    assert float(found.slope) > 5
    assert found.slope.isfinite()
    assert abs(float(found.bias)) < 1e-3


@pytest.mark.parametrize("classes", [(1, 1), (-1, 1)])
def test_classes_of_a_curve(classes):
    with pytest.raises(ValueError, match="two different classes"):
        PsychometricCurve(negative=classes[0], positive=classes[1])


def test_shapes_of_a_curve():
    with pytest.raises(ValueError, match=r"`choices` and `evidence` as \(batch,\)"):
        PsychometricCurve().update(torch.tensor([1, 2]), torch.tensor([0.1]))

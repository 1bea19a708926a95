"""Each loss against its formula written out, its gradient, and the errors of a user."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from conex_nn.rates import (
    CTRNN,
    Connectivity,
    Dale,
    Metabolic,
    Outcome,
    RateMagnitude,
    RateSpread,
    RateVariation,
    Reconstruction,
    TaskLoss,
    WeightedLoss,
    WeightNorm,
    ei_signs,
)

T, B, N = 5, 3, 4


def outcome(**options):
    net = CTRNN(2, N, output_size=3, recurrent_constraints=[Dale(ei_signs(N))], activation=torch.tanh)
    x = torch.randn(T, B, 2)
    rates, _ = net.rates(x)
    return Outcome(net, net.readout(rates), torch.randn(T, B, 3), rates, inputs=x, **options)


def test_every_term_is_its_formula():
    run = outcome()
    weight = run.net.recurrent.weight.detach().tolist()
    rates = run.rates.detach().tolist()
    mean = [sum(rates[t][b][n] for t in range(T) for b in range(B)) / (T * B) for n in range(N)]
    active = [sum(abs(rates[t][b][n]) for t in range(T) for b in range(B)) / (T * B) for n in range(N)]

    def variance(values):
        middle = sum(values) / len(values)
        return sum((value - middle) ** 2 for value in values) / len(values)

    entries = [(i, j) for i in range(N) for j in range(N)]
    expected = {
        WeightNorm("recurrent"): sum(weight[i][j] ** 2 for i, j in entries) / N**2,
        Connectivity(): sum(weight[i][j] ** 2 for i, j in entries),
        Connectivity(torch.eye(N)): sum((weight[i][j] - (i == j)) ** 2 for i, j in entries),
        RateMagnitude(): sum(r**2 for step in rates for row in step for r in row) / (T * B * N),
        RateSpread(): variance(mean),
        RateVariation(): variance(active) ** 0.5 / (sum(active) / N),
        Metabolic(): sum(abs(weight[i][j]) * active[j] for i, j in entries) / N,
    }
    for term, value in expected.items():
        assert term(run).item() == pytest.approx(value, rel=1e-4), term
        (grad,) = torch.autograd.grad(term(run), run.net.recurrent.parametrizations.weight.original, retain_graph=True)
        assert grad.isfinite().all()
        assert grad.any(), term


def test_rates_that_are_all_alike_have_a_finite_gradient():
    rates = torch.ones(T, B, N, requires_grad=True)
    RateVariation()(Outcome(nn.Identity(), rates, rates, rates)).backward()
    assert rates.grad.isfinite().all()


def test_reconstruction_learns_to_give_the_input_back():
    x = torch.randn(T, B, 2)
    rates = F.pad(x, (1, 1))  # the input is in there
    term = Reconstruction(N, 2)
    optimizer = torch.optim.Adam(term.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        loss = term(Outcome(nn.Identity(), rates, rates, rates, inputs=x))
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3


def test_the_task_loss_counts_the_times_that_count():
    mask = torch.rand(T, B)
    run = outcome(mask=mask)
    per_time = (run.output - run.target).square().mean(-1)
    assert_close(TaskLoss()(run), (per_time * mask).sum() / mask.sum())
    labels = torch.randint(3, (T, B))
    losses = F.cross_entropy(run.output.flatten(0, 1), labels.flatten(), reduction="none").view(T, B)
    got = TaskLoss(nn.CrossEntropyLoss(reduction="none"))(run._replace(target=labels))
    assert_close(got, (losses * mask).sum() / mask.sum())


def test_classes_may_be_probabilities():
    run = outcome()
    goal = torch.randn(T, B, 3).softmax(-1)
    expected = F.cross_entropy(run.output.flatten(0, 1), goal.flatten(0, 1))
    assert_close(TaskLoss(nn.CrossEntropyLoss(reduction="none"))(run._replace(target=goal)), expected)


def test_a_weighted_sum_reports_every_term():
    run = outcome()
    terms = {"task": TaskLoss(), "rates": RateMagnitude(), "input": Reconstruction(N, 2)}
    loss = WeightedLoss(terms, {"rates": 0.5, "task": 2.0, "input": 0.25})
    total, report = loss(run)
    assert list(report) == list(terms)
    assert_close(total, 2 * TaskLoss()(run) + 0.5 * RateMagnitude()(run) + 0.25 * terms["input"](run))
    assert not any(value.requires_grad for value in report.values())
    assert len(list(loss.parameters())) == 2  # those of the decoder
    assert repr(loss).startswith("WeightedLoss(\n  2 task, 0.5 rates, 0.25 input")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WeightedLoss({}, {}), "at least one term"),
        (lambda: WeightedLoss({"task": TaskLoss()}, {}), "Expected a weight for each term .1., got none for task"),
        (lambda: WeightedLoss({"task": TaskLoss()}, {"task": 1.0, "rate": 1.0}), "one for rate"),
        (lambda: WeightedLoss({"task": TaskLoss()}, {"task": float("nan")}), "to be a finite number"),
        (lambda: WeightNorm("hidden")(outcome()), "Expected `layer` to be the path of a layer"),
        (lambda: Connectivity(torch.ones(2, 2))(outcome()), "Expected `goal` of shape"),
        (lambda: Reconstruction(N, 2)(outcome()._replace(inputs=None)), "with `inputs` to reconstruct"),
        (lambda: TaskLoss(nn.MSELoss())(outcome()), "one loss per time and sample, 15 of them"),
        (
            lambda: TaskLoss(F.cross_entropy)(outcome()._replace(target=torch.zeros(T, B, dtype=torch.long))),
            "one loss per time and sample, 15 of them",
        ),
        (lambda: TaskLoss()(outcome()._replace(target=torch.zeros(T, dtype=torch.long))), "Expected `target` of shape"),
        (lambda: Metabolic("input")(outcome()._replace(net=CTRNN(1, N))), "from the 4 neurons"),
        (lambda: Reconstruction(N, 2)(outcome()._replace(inputs=torch.ones(T, B, 1))), "of 2 features to reconstruct"),
        (lambda: TaskLoss()(outcome(mask=torch.ones(B))), "Expected `mask` of shape"),
        (lambda: TaskLoss()(outcome()._replace(target=torch.ones(T, B, 1))), "Expected `target` of shape"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""The surrogates against snnTorch's own functions."""

import pickle

import pytest
import torch
from snntorch import surrogate as snn
from torch.testing import assert_close

from conex_nn import surrogate

# Ours, and the function of snnTorch with the same parameters; None where snnTorch has none.
PAIRS = {
    "straight_through": (surrogate.straight_through(), snn.straight_through_estimator()),
    "fast_sigmoid": (surrogate.fast_sigmoid(7.0), snn.fast_sigmoid(slope=7)),
    "superspike": (surrogate.superspike(), snn.fast_sigmoid(slope=100)),
    "atan": (surrogate.atan(1.5), snn.atan(alpha=1.5)),
    "sigmoid": (surrogate.sigmoid(3.0), snn.sigmoid(slope=3)),
    "triangular": (surrogate.triangular(0.7), snn.triangular(threshold=0.7)),
    "heaviside": (surrogate.heaviside(), snn.heaviside()),
    "spike_rate_escape": (surrogate.spike_rate_escape(1.5, 3.0), snn.spike_rate_escape(beta=1.5, slope=3)),
    "sparse_fast_sigmoid": (surrogate.sparse_fast_sigmoid(3.0, 0.5), snn.SFS(slope=3, B=0.5)),
    "stochastic": (surrogate.stochastic(0.1, 0.5), snn.SSO(mean=0.1, variance=0.5)),
    "custom": (
        surrogate.custom(lambda x, grad, spikes: grad * torch.cos(x) + spikes),
        snn.custom_surrogate(lambda x, grad, spikes: grad * torch.cos(x) + spikes),
    ),
    "triangle": (surrogate.triangle(0.5, 0.3), None),
    "exponential": (surrogate.exponential(2.0, 0.5), None),
    "leaky": (surrogate.leaky(0.2), None),  # snnTorch's LSO raises in its backward pass
}
NAMES = pytest.mark.parametrize("name", PAIRS)


def points(n=400):
    return 4 * torch.rand(n) - 2


@pytest.mark.parametrize("name", [name for name, (_, theirs) in PAIRS.items() if theirs is not None])
def test_values_and_derivatives_are_those_of_snntorch(name):
    found = []
    for function in PAIRS[name]:
        torch.manual_seed(0)
        x, weight = points().requires_grad_(), torch.ones(400) if name == "custom" else torch.rand(400)
        torch.manual_seed(1)
        spikes = function(x)
        (spikes * weight).sum().backward()
        found.append((spikes, x.grad))
    assert_close(found[0], found[1])


@pytest.mark.parametrize(
    ("ours", "formula"),
    [
        (surrogate.triangle(0.5, 0.3), lambda x: 0.3 * (1 - x.abs() / 0.5).clamp(min=0)),
        (surrogate.exponential(2.0, 0.5), lambda x: 0.5 * torch.exp(-2 * x.abs())),
        (surrogate.leaky(0.2), lambda x: torch.where(x > 0, 1.0, 0.2)),
        (surrogate.atan(2.0), lambda x: 1 / (1 + (torch.pi * x) ** 2)),
        (surrogate.fast_sigmoid(3.0), lambda x: 1 / (1 + 3 * x.abs()) ** 2),
        (surrogate.sigmoid(3.0), lambda x: 3 * torch.sigmoid(3 * x) * (1 - torch.sigmoid(3 * x))),
        (surrogate.spike_rate_escape(1.5, 3.0), lambda x: 3 * torch.exp(-1.5 * (x - 1).abs())),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_formula(ours, formula):
    x = points().double()
    assert_close(ours.derivative(x), formula(x).double())


@NAMES
def test_it_fires_at_exactly_zero(name):
    x = torch.tensor([-1.0, -1e-30, 0.0, 1e-30, 1.0])
    assert PAIRS[name][0](x).tolist() == [0, 0, 1, 1, 1]


@NAMES
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtype_is_kept(name, dtype):
    x = points().to(dtype).requires_grad_()
    spikes = PAIRS[name][0](x)
    spikes.sum().backward()
    assert spikes.dtype == x.grad.dtype == dtype
    assert PAIRS[name][0].derivative(x.detach()).dtype == dtype


@NAMES
def test_far_from_threshold_the_derivative_is_finite(name):
    if name != "custom":
        assert PAIRS[name][0].derivative(torch.tensor([-1e4, -300.0, 300.0, 1e4])).isfinite().all()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(theirs, ours) for name, (ours, theirs) in PAIRS.items() if theirs is not None and name != "custom"]
    + [
        (snn.LSO(slope=0.2), surrogate.leaky(0.2)),
        (snn.atan(), surrogate.atan()),
        (snn.sigmoid(), surrogate.sigmoid()),
    ],
    ids=lambda value: getattr(value, "kind", "snn"),
)
def test_from_snntorch(theirs, ours):
    assert surrogate.from_snntorch(theirs) == ours


def test_from_snntorch_takes_a_custom_function_along_and_leaves_others_alone():
    def derivative(x, grad, spikes):
        return grad

    assert surrogate.from_snntorch(snn.custom_surrogate(derivative)) == surrogate.custom(derivative)
    for function in (torch.sigmoid, derivative, surrogate.atan(), surrogate.from_snntorch):
        assert surrogate.from_snntorch(function) is function


@NAMES
def test_a_surrogate_is_a_value(name):
    ours = PAIRS[name][0]
    assert ours == surrogate.Surrogate(ours.kind, ours.params)
    assert hash(ours) == hash(surrogate.Surrogate(ours.kind, ours.params))
    assert ours.kind in repr(ours)
    if name != "custom":
        assert pickle.loads(pickle.dumps(ours)) == ours
    assert surrogate.atan(2.0) == surrogate.atan(2)
    assert surrogate.atan(2.0) != surrogate.atan(3.0)


def test_codes_are_distinct_and_missing_only_where_no_kernel_can_know():
    codes = {ours.kind: ours.code for ours, _ in PAIRS.values()}
    assert {kind for kind, code in codes.items() if code is None} == {"stochastic", "custom"}
    known = [code for code in codes.values() if code is not None]
    assert sorted(known) == list(range(11))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (surrogate.fast_sigmoid, "slope"), (surrogate.superspike, "slope"), (surrogate.atan, "alpha"),
        (surrogate.sigmoid, "slope"), (surrogate.triangle, "width"), (surrogate.exponential, "slope"),
        (surrogate.spike_rate_escape, "beta"), (surrogate.sparse_fast_sigmoid, "slope"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_parameter_that_is_not_positive(make, name, value):
    with pytest.raises(ValueError, match=rf"Expected `{name}` to be positive \[1\], got"):
        make(value)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"`kind` to be one of .*atan.*, got 'nope'"):
        surrogate.Surrogate("nope")

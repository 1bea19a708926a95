"""Gaussian receptive fields: tuning, and what can be read off them."""

import math
import pickle

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import Latency, Poisson, PopulationCode


def test_each_neuron_is_tuned_to_its_centre():
    code = PopulationCode(6, low=-2.0, high=3.0)
    x = torch.linspace(-4, 5, 9001)
    responses = code(x)
    best = x[responses.argmax(0)]
    assert_close(best, code.centres, rtol=0, atol=1e-3)
    assert_close(responses.amax(0), torch.ones(6), rtol=0, atol=1e-4)
    # half as strong at sqrt(2 ln 2) standard deviations, which are 1 / 1.5 of the distance of centres
    half = math.sqrt(2 * math.log(2)) * (code.centres[1] - code.centres[0]) / 1.5
    assert_close(code(code.centres + half).diagonal(), torch.full((6,), 0.5))
    assert_close(code(code.centres - half).diagonal(), torch.full((6,), 0.5))


def test_centres_are_those_of_the_paper():
    for n, low, high in [(3, 0.0, 1.0), (8, -1.0, 4.0)]:
        centres = [low + (2 * i - 3) / 2 * (high - low) / (n - 2) for i in range(1, n + 1)]
        assert_close(PopulationCode(n, low=low, high=high).centres, torch.tensor(centres))


def test_responses_are_intensities():
    responses = PopulationCode(5)(torch.linspace(-1, 2, 100))
    assert 0 <= responses.min() <= responses.max() <= 1


@pytest.mark.parametrize("n", [3, 4, 8, 20])
@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
def test_the_value_comes_back(n, beta):
    code = PopulationCode(n, low=-3.0, high=7.0, beta=beta)
    x = torch.linspace(-3, 7, 401, dtype=torch.float64)
    assert_close(code.decode(code(x)), x, rtol=0, atol=1e-4)
    assert_close(code.decode(7 * code(x)), x, rtol=0, atol=1e-4)  # rates will do


def test_the_value_comes_back_from_noisy_rates():
    code = PopulationCode(10)
    spikes = Poisson(500, generator=torch.Generator().manual_seed(0))
    x = torch.linspace(0, 1, 101)
    error = code.decode(spikes.decode(spikes(code(x)))) - x
    assert error.abs().max() < 0.04
    assert error.square().mean().sqrt() < 0.01


def test_the_value_comes_back_from_times():
    code, times = PopulationCode(10), Latency(100, threshold=0.05)
    x = torch.linspace(0, 1, 101)
    assert_close(code.decode(times.decode(times(code(x)))), x, rtol=0, atol=0.01)


def test_each_feature_has_its_range():
    code = PopulationCode(6, low=torch.tensor([0.0, 100.0]), high=torch.tensor([1.0, 300.0]))
    x = torch.tensor([[0.25, 150.0], [0.5, 200.0], [1.0, 300.0]])
    responses = code(x)
    assert responses.shape == (3, 2, 6)
    assert_close(responses[:, 0], responses[:, 1])
    assert_close(code.decode(responses), x)
    assert_close(code(x[0]), responses[0])


def test_the_range_of_samples():
    x = torch.rand(50, 3) * torch.tensor([1.0, 10.0, 100.0])
    code = PopulationCode.fit(x, 5, beta=2.0)
    assert_close(code.low, x.amin(0))
    assert_close(code.high, x.amax(0))
    assert code.beta == 2.0
    with pytest.raises(ValueError, match="Expected every feature of `x` to vary"):
        PopulationCode.fit(torch.ones(5, 2), 5)


def test_one_response_is_that_neurons_centre():
    code = PopulationCode(5)
    assert_close(code.decode(torch.eye(5)), code.centres)
    assert code.decode(torch.zeros(5)).isnan()


def test_gradients_pass_through():
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(PopulationCode(4).double(), x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_type_of_the_input_and_the_ends_move(dtype):
    code = PopulationCode(4)
    x = torch.rand(7).to(dtype)
    before = x.clone()
    assert code(x).dtype == dtype
    assert_close(x, before, rtol=0, atol=0)
    assert code(torch.zeros(3, device="meta").to(dtype)).shape == (3, 4) if code.to("meta") else None
    assert_close(pickle.loads(pickle.dumps(PopulationCode(4)))(x), PopulationCode(4)(x))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"neurons": 2}, ValueError, "Expected `neurons` to be at least 3"),
        ({"neurons": 3.0}, TypeError, "Expected `neurons` to be an integer|parameter 'neurons'"),
        ({"neurons": 3, "beta": 0.0}, ValueError, "Expected `beta` to be positive"),
        ({"neurons": 3, "low": 1.0}, ValueError, "Expected `low` to be below `high`, both finite"),
        ({"neurons": 3, "high": math.inf}, ValueError, "Expected `low` to be below `high`, both finite"),
    ],
)
def test_what_does_not_work_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        PopulationCode(**arguments)


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(TypeError, match=r"got torch.bool. Spikes are not encoded again"):
        PopulationCode(3)(torch.ones(3, dtype=torch.bool))
    with pytest.raises(TypeError, match=r"Expected `x` to be a tensor, got float|parameter 'x'"):
        PopulationCode(3)(0.5)
    each = PopulationCode(5, low=torch.zeros(3), high=torch.ones(3))
    for shape in [(7, 1), (7, 4), ()]:
        with pytest.raises(ValueError, match=r"Expected `x` to end in the \(3,\) features of `low` and `high`, got"):
            each(torch.zeros(shape))
    with pytest.raises(ValueError, match="Expected `responses` to have 3 neurons in the last"):
        PopulationCode(3).decode(torch.ones(4))
    assert repr(PopulationCode(3)) == "PopulationCode(neurons=3, beta=1.5)"


@pytest.mark.compile
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_compiles_without_a_graph_break(backend):
    code, x = PopulationCode(4), torch.rand(5)
    assert_close(torch.compile(code, fullgraph=True, backend=backend)(x), code(x))

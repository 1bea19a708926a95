"""The kernels' arithmetic: equal to the plain path to the bit, the same on any number of threads, without denormals."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.neurons import AELIF, ELIF, IF, LI, LIF

NEURONS = {
    "LIF": lambda **o: LIF(tau_mem=7.0, v_rest=-0.2, v_reset=-0.3, **o),
    "IF": lambda **o: IF(capacitance=3.0, v_reset=-0.3, **o),
    "LI": lambda **o: LI(tau_mem=7.0, v_rest=-0.2),
    "ELIF": lambda **o: ELIF(v_reset=-0.3, **o),
    "AELIF": lambda **o: AELIF(tau_w=[7.0, 30.0], a=0.1, v_reset=-0.3, **o),
}
SMALLEST = torch.finfo(torch.float32).tiny


def watch(y, state):
    """Have the steps run one by one."""


def current(*shape, dtype=torch.float32):
    return 4 * torch.rand(*shape, dtype=dtype) - 0.7


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("pause", [0.0, 2.0])
@pytest.mark.parametrize("name", ["LIF", "IF", "LI"])
def test_float32_is_equal_to_the_bit_where_there_is_no_exponential(name, pause, soft):
    neuron = NEURONS[name](refractory_time=pause, soft_reset=soft)
    x = current(60, 3, 701)
    fused, plain = neuron(x), neuron(x, observe=watch)
    assert plain[0].any()
    assert_close(fused, plain, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["ELIF", "AELIF"])
def test_float32_with_an_exponential_is_equal_to_rounding(name):
    neuron = NEURONS[name]()
    x = current(40, 3, 701)
    (fused, state), (plain, expected) = neuron(x), neuron(x, observe=watch)
    same = (fused == plain).all(0)  # a neuron within rounding of its threshold may fire a step later
    assert same.float().mean() > 0.999
    assert_close(state.v[same], expected.v[same], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NEURONS)
def test_dtype_goes_through(name, dtype):
    neuron = NEURONS[name]().to(dtype)
    x = current(5, 2, 3, dtype=dtype).requires_grad_()
    ys, state = neuron(x)
    ys.sum().backward()
    assert {t.dtype for t in (ys, *state, x.grad)} == {dtype}


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_bfloat16_input_gives_bfloat16_spikes_and_a_float32_state(name, noise):
    neuron = NEURONS[name]()
    neuron.noise.fill_(noise)
    neuron.load_state_dict(neuron.state_dict())  # reads the switches anew
    x = current(30, 2, 50).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        ys, state = neuron(x)
        _, stepped = neuron.step(x[0], neuron.initial_state(x[0]))
    ys.sum().backward()
    assert ys.dtype == (torch.float32 if name == "LI" else torch.bfloat16)
    assert {t.dtype for t in (*state, *stepped)} == {torch.float32}
    assert x.grad.dtype == torch.bfloat16
    if not noise:
        assert_close(ys.float(), neuron(x.detach().float())[0], rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(1, 2, 5), (20, 1, 5), (20, 2, 1), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("name", NEURONS)
def test_a_current_as_a_view_equals_the_current_itself(name, shape):
    neuron = NEURONS[name]()
    found = []
    for lay in (lambda x: x, torch.Tensor.contiguous):
        torch.manual_seed(0)
        x = current(*shape).requires_grad_()
        ys, state = neuron(lay(x.expand(20, 2, 5)))
        (ys.sum() + state.v.sum()).backward()
        found.append((ys, *state, x.grad))
    assert_close(found[0], found[1], rtol=0, atol=0)


def run_on(threads, name):
    """Everything that a run gives on a number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(0)
        neuron = NEURONS[name]()
        for key in ("tau_mem", "v_rest", "v_reset"):
            if key in neuron._buffers:
                value = neuron._buffers.pop(key)
                neuron.register_parameter(key, torch.nn.Parameter(value.expand(4100).clone()))
        x = current(10, 3, 4100).requires_grad_()
        ys, state = neuron(x)
        (ys.cumsum(0).sum() + state.v.sum()).backward()
        return [ys, *state, x.grad, *(p.grad for p in neuron.parameters())]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", NEURONS)
def test_the_number_of_threads_changes_nothing(name):
    one = run_on(1, name)
    for threads in (2, 3):
        assert_close(run_on(threads, name), one, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["LIF", "LI", "ELIF", "AELIF"])
def test_a_long_silence_ends_at_zero_and_meets_no_denormals(name):
    options = {} if name in ("LIF", "LI") else {"v_rh": 50.0, "delta_t": 0.5}  # so that the upstroke vanishes
    if name == "AELIF":
        options |= {"tau_w": 3.0, "a": 0.2}
    neuron = {"LIF": LIF, "LI": LI, "ELIF": ELIF, "AELIF": AELIF}[name](tau_mem=3.0, **options)
    x = torch.zeros(600, 1, 64)
    x[0] = torch.linspace(-2, 2, 64)
    state, least = None, torch.inf
    for block in x.split(20):
        _, state = neuron(block, state)
        for value in state:
            sizes = value.abs()[value != 0]
            least = min(least, sizes.min().item() if sizes.numel() else least)
    assert least > SMALLEST
    for value in state:
        assert not value.any()


@pytest.mark.parametrize("name", ["LIF", "LI", "AELIF"])
def test_gradients_that_vanish_meet_no_denormals(name):
    neuron = {"LIF": LIF(tau_mem=3.0), "LI": LI(tau_mem=3.0), "AELIF": AELIF(tau_mem=3.0, tau_w=3.0, a=0.1)}[name]
    x = torch.zeros(600, 1, 64, requires_grad=True)
    _, state = neuron(x)
    state.v.sum().backward()
    sizes = x.grad.abs()[x.grad != 0]
    assert sizes.numel() > 0
    assert sizes.min() > SMALLEST
    assert x.grad[0].abs().max() == 0


def test_nan_and_infinity_pass_as_in_the_plain_path():
    x = torch.tensor([[0.5, torch.nan, torch.inf, -torch.inf], [0.5, 0.5, 0.5, 0.5]])
    for name, make in NEURONS.items():
        neuron = make()
        fused, plain = neuron(x), neuron(x, observe=watch)
        assert_close(fused[0], plain[0], equal_nan=True, msg=lambda text, name=name: f"{name}: {text}")
        assert_close(fused[1].v, plain[1].v, equal_nan=True, msg=lambda text, name=name: f"{name}: {text}")

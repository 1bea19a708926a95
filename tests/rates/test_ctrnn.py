"""The rate network against torch's RNN, an accurate solution, and its own steps; the laws; the errors."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.functional import ctrnn_step
from conex_nn.rates import CTRNN, CTRNNState, Dale, NonNegative, NoSelf, Plasticity, Sparsity, ei_signs
from conex_nn.scan import scan
from conex_nn.testing import check_module
from tests.functional.convergence import order, reference_value

T, B, I, N, O = 9, 3, 2, 6, 4  # noqa: E741


def constrained(how="parametrize", **options):
    """A network with every kind of constraint."""
    signs = ei_signs(N, excitatory=0.5)
    return CTRNN(
        I,
        N,
        output_size=O,
        input_constraints=[NonNegative()],
        recurrent_constraints=[Dale(signs), NoSelf(), Sparsity(torch.rand(N, N) < 0.7), Plasticity(torch.rand(N, N))],
        readout_constraints=[Dale(signs), Sparsity(torch.arange(N).expand(O, N) < 4)],
        how=how,
        **options,
    )


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_euler_with_a_step_of_tau_is_torchs_rnn(nonlinearity):
    rnn = nn.RNN(I, N, nonlinearity=nonlinearity).double()
    net = CTRNN(I, N, activation=getattr(torch, nonlinearity), tau=20.0, method="euler").double()
    net.load_state_dict(
        net.state_dict()
        | {
            "input.weight": rnn.weight_ih_l0,
            "input.bias": rnn.bias_ih_l0,
            "recurrent.weight": rnn.weight_hh_l0,
            "recurrent.bias": rnn.bias_hh_l0,
        }
    )
    x = torch.randn(T, B, I, dtype=torch.float64)
    expected, last = rnn(x)
    rates, state = net(x, dt=20.0)
    assert_close(rates, expected, rtol=1e-14, atol=1e-14)
    assert_close(state.rate, last[0], rtol=1e-14, atol=1e-14)
    grad = torch.randn_like(rates)
    expected.backward(grad)
    rates.backward(grad)
    for ours, theirs in zip(
        (net.input.weight, net.recurrent.weight, net.input.bias, net.recurrent.bias), rnn.parameters(), strict=True
    ):
        assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-12)


ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": nn.Sigmoid(),
    "softplus": nn.functional.softplus,
    "retanh": lambda v: torch.tanh(v).relu(),
    "with an area each": lambda v: v.tanh() * torch.linspace(1, 2, N, dtype=v.dtype),
}


@pytest.mark.parametrize("method", ["exact", "euler"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_fused_loop_is_the_steps(name, method):
    tau = nn.Parameter(torch.linspace(4, 30, N))
    start = nn.Parameter(0.3 * torch.randn(N))
    net = CTRNN(I, N, output_size=O, activation=ACTIVATIONS[name], tau=tau, v_initial=start, method=method).double()
    assert net._alone
    x = torch.randn(T, B, I, dtype=torch.float64)
    kept = CTRNNState(*(torch.randn(2, B, N, dtype=torch.float64).requires_grad_()))
    kept = CTRNNState(*(part.detach().requires_grad_() for part in kept))
    found = []
    for by_steps in (False, True):
        for state in (None, kept):
            xs = x.clone().requires_grad_()
            if by_steps:
                first = net.initial_state(xs[0]) if state is None else state
                ys, last = scan(lambda x, s: net.step(x, s, dt=3.0), xs, first)
            else:
                ys, last = net(xs, state, dt=3.0)
            leaves = [xs, *net.parameters(), *(state or ())]
            outs = [ys, last.v, last.rate]
            torch.manual_seed(1)
            grads = torch.autograd.grad(outs, leaves, [torch.randn_like(out) for out in outs], allow_unused=True)
            found.append((outs, grads))
    for fused, plain in zip(found[:2], found[2:], strict=True):
        for one, other in zip((*fused[0], *fused[1]), (*plain[0], *plain[1]), strict=True):
            if one is not None or other is not None:
                assert_close(one, other, rtol=1e-10, atol=1e-11)


def test_step_is_the_function():
    net = CTRNN(I, N, activation=torch.tanh, tau=7.0)
    x, v = torch.randn(B, I), torch.randn(B, N)
    current = net.input(x) + net.recurrent.bias
    expected = ctrnn_step(current, v, torch.tanh(v), weight=net.recurrent.weight, tau=net.tau, dt=2.0)
    _, state = net.step(x, CTRNNState(v, torch.tanh(v)), dt=2.0)
    assert_close(state.v, expected)
    assert_close(state.rate, torch.tanh(expected))


@pytest.mark.parametrize("method", ["exact", "euler"])
def test_halving_dt_converges(method):
    net = CTRNN(I, N, activation=torch.tanh, tau=torch.linspace(5, 20, N), method=method).double()
    with torch.no_grad():
        net.recurrent.weight.mul_(3)
    u = torch.tensor([0.8, -0.3], dtype=torch.float64)
    weight, drive, tau = (t.detach().numpy() for t in (net.recurrent.weight, net.input(u), net.tau))

    def slope(t, v):
        import numpy as np

        return (-v + weight @ np.tanh(v) + drive) / tau

    truth = reference_value(slope, [0.0] * N, 40.0)
    errors = []
    dts = (0.5, 0.25, 0.125)
    for dt in dts:
        _, state = net(u.expand(round(40 / dt), 1, I), dt=dt)
        errors.append((state.v[0] - truth).abs().max().item())
    assert order(dts, errors) == pytest.approx(1, abs=0.05)
    assert errors[-1] < 0.01


def test_a_neuron_by_itself_is_exact_at_any_step():
    net = CTRNN(1, 1, activation=lambda v: v, tau=5.0).double()
    with torch.no_grad():
        net.recurrent.weight.zero_()
        net.input.weight.fill_(2.0)
    for dt in (0.5, 7.0):
        v, _ = net(torch.ones(6, 1, 1, dtype=torch.float64), dt=dt)
        times = dt * torch.arange(1, 7, dtype=torch.float64)
        assert_close(v.flatten(), 2 * (1 - torch.exp(-times / 5)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("how", ["parametrize", "project"])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.Softplus, nn.PReLU, lambda: nn.Softmax(-1)])
def test_it_is_lawful(activation, how):
    def make():
        start = nn.Parameter(torch.linspace(-1, 1, N))
        return constrained(how, activation=activation(), tau=nn.Parameter(torch.tensor(4.0)), v_initial=start)

    check_module(make, torch.randn(T, B, I), skip=["permutation"])


def test_a_trained_activation_gets_its_gradient():
    for activation in (nn.PReLU(), nn.Sequential(nn.PReLU(), nn.Tanh())):
        net = CTRNN(I, N, activation=activation)
        net(torch.randn(T, B, I))[0].sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in activation.parameters())
    gain = nn.Parameter(torch.ones(()))
    CTRNN(I, N, activation=lambda v: gain * v.tanh())(torch.randn(T, B, I))[0].sum().backward()
    assert gain.grad.abs() > 0


def test_a_trained_tau_stays_positive():
    net = CTRNN(I, N, tau=nn.Parameter(torch.full((N,), 2.0)))
    optimizer = torch.optim.SGD(net.parameters(), lr=10.0)
    for _ in range(20):
        optimizer.zero_grad()
        (net(torch.rand(T, B, I))[0].mean() + net.tau.sum()).backward()
        optimizer.step()
    assert (net.tau > 0).all()
    assert net.tau.isfinite().all()


@pytest.mark.parametrize("method", ["exact", "euler"])
@pytest.mark.parametrize("dt", [0.25, 1.0])
def test_noise_before_the_activation_settles_to_a_spread_that_does_not_depend_on_dt(dt, method):
    tau, sigma, many = 5.0, 0.3, 4000
    net = CTRNN(1, 1, activation=lambda v: v, tau=tau, noise=sigma, method=method)
    nn.init.zeros_(net.recurrent.weight)
    zeros = torch.zeros(round(40 / dt), many, 1)
    _, state = net(zeros, dt=dt)
    variance = sigma**2 * tau / 2 if method == "exact" else sigma**2 * dt / (1 - (1 - dt / tau) ** 2)
    assert state.v.var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / many))
    assert net.eval()(zeros, dt=dt)[1].v.abs().max() == 0


@pytest.mark.parametrize("dt", [0.25, 1.0])
@pytest.mark.parametrize("by_steps", [False, True])
def test_noise_after_the_activation_adds_up_to_the_same_whatever_dt(dt, by_steps):
    many, sigma, tau = 4000, 0.3, 8.0
    net = CTRNN(1, 2, activation=lambda v: 0 * v, tau=tau, rate_noise=sigma, bias=False)
    with torch.no_grad():
        net.recurrent.weight.copy_(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    zeros = torch.zeros(round(60 / dt), many, 1)
    if by_steps:
        _, state = scan(lambda x, s: net.step(x, s, dt=dt), zeros, net.initial_state(zeros[0]))
    else:
        _, state = net(zeros, dt=dt)
    # White noise of 0.3 sqrt(ms), filtered with tau: variance 0.3^2 / (2 tau), but for the steps of dt.
    decay = math.exp(-dt / tau)
    variance = sigma**2 / dt * (1 - decay) ** 2 / (1 - decay**2)
    assert variance == pytest.approx(sigma**2 / (2 * tau), rel=0.01)
    assert state.v[:, 0].var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / many))
    assert net.eval()(zeros, dt=dt)[0].abs().max() == 0


def test_no_gradient_of_a_step_is_lost_with_noise_on_the_rates():
    torch.manual_seed(0)
    net = CTRNN(I, N, activation=torch.tanh, rate_noise=nn.Parameter(torch.full((N,), 0.2))).double()
    x = torch.randn(T, B, I, dtype=torch.float64)
    every = torch.randn(T, B, N, dtype=torch.float64)
    grads = []
    for observe in (None, lambda rate, state: None):  # observed, it runs step by step: the same draws in another order
        with pytest.MonkeyPatch.context() as patch:
            draws = iter(every)
            patch.setattr(net, "_shake", lambda like, dt: torch.zeros_like(like))
            patch.setattr(torch, "randn_like", lambda like, draws=draws: every if like.dim() == 3 else next(draws))
            rates, _ = net(x, observe=observe)
        grads.append(torch.autograd.grad(rates.square().sum(), [net.rate_noise, net.recurrent.weight]))
    for fused, plain in zip(*grads, strict=True):
        assert_close(fused, plain, rtol=1e-10, atol=1e-11)


def test_a_learned_start_is_learned_with_truncated_gradients():
    """The first block of back-propagation begins at the start, which has its gradient."""
    x = torch.randn(T, B, I)
    whole, truncated = (nn.Parameter(torch.zeros(N)) for _ in range(2))
    nets = [CTRNN(I, N, activation=torch.tanh, v_initial=start) for start in (whole, truncated)]
    nets[1].load_state_dict(nets[0].state_dict())
    nets[0](x[:4])[0].sum().backward()
    nets[1](x, detach_every=4)[0][:4].sum().backward()
    assert_close(nets[1].v_initial.grad, nets[0].v_initial.grad)
    assert nets[0].v_initial.grad.any()


def test_an_activation_of_groups_takes_a_sequence_without_batch():
    net = CTRNN(I, N, activation=lambda v: v.unflatten(-1, (2, N // 2)).tanh().flatten(-2))
    x = torch.randn(T, I)
    assert_close(net(x)[0], net(x[:, None])[0][:, 0])


def test_who_watches_an_activation_sees_every_step():
    activation, seen = nn.Tanh(), []
    net = CTRNN(I, N, activation=activation)
    activation.register_forward_hook(lambda module, args, rate: seen.append(rate))
    net(torch.randn(T, B, I))[0].sum().backward()
    assert [rate.shape for rate in seen] == [(B, N)] * (T + 1)  # of the start, too


def test_an_activation_that_is_random_in_training_is_never_run_fused():
    activation = nn.Sequential(nn.Tanh(), nn.Dropout(0.5)).eval()
    assert not CTRNN(I, N, activation=activation)._alone
    assert not activation.training


def test_a_second_derivative_is_refused_not_wrong():
    net, x = CTRNN(I, N, activation=torch.tanh), torch.randn(T, B, I, requires_grad=True)
    with pytest.raises(RuntimeError, match="Expected to be differentiated once"):
        torch.autograd.grad(net(x)[0].sum(), x, create_graph=True)
    ys, _ = net(x, observe=lambda output, state: None)
    (grad,) = torch.autograd.grad(ys.sum(), x, create_graph=True)
    grad.square().sum().backward()
    assert x.grad.abs().sum() > 0


def test_autocast_runs_and_is_near():
    net, x = CTRNN(I, N, output_size=O, activation=torch.tanh), torch.randn(T, B, I)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough, state = net(x)
    assert state.v.dtype == torch.float32
    assert_close(rough.float(), net(x)[0], rtol=0.05, atol=0.05)


@pytest.mark.compile
def test_it_compiles_without_a_break():
    net, x = CTRNN(I, N, output_size=O, activation=torch.tanh), torch.randn(T, B, I)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    assert_close(compiled(x)[0], net(x)[0])


@pytest.mark.long
@pytest.mark.compile
def test_compiled_it_projects_the_stored_weight_as_well():
    net = CTRNN(I, N, activation=torch.tanh, recurrent_constraints=[Dale(ei_signs(N))], how="project")
    with torch.no_grad():
        net.recurrent.parametrizations.weight.original.neg_()
    other, x = copy.deepcopy(net), torch.randn(T, B, I)
    assert_close(torch.compile(net, fullgraph=True, backend="aot_eager")(x)[0], other(x)[0])
    stored = [each.recurrent.parametrizations.weight.original for each in (net, other)]
    assert torch.equal(*stored)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CTRNN(I, N, activation="relu"), TypeError, "Expected `activation` to be a callable on tensors"),
        (lambda: CTRNN(I, N, activation=nn.ReLU), TypeError, "Expected `activation` to be a callable on tensors"),
        (lambda: CTRNN(I, N, activation=nn.ReLU(inplace=True)), ValueError, "one that writes to it"),
        (lambda: CTRNN(I, N, activation=lambda v: v.sum()), ValueError, "of the shape of its input"),
        (lambda: CTRNN(I, N, tau=0.0), ValueError, "Expected `tau` to be positive"),
        (lambda: CTRNN(I, N, tau=torch.ones(4)), ValueError, "Expected `tau` as one value or one for each of 6"),
        (lambda: CTRNN(I, N, noise=-1.0), ValueError, "Expected `noise` not to be negative"),
        (lambda: CTRNN(I, N, v_initial=torch.ones(B, N)), ValueError, "Expected `v_initial` as one value"),
        (lambda: CTRNN(I, N, method="rk4"), ValueError, "Expected `method` to be one of"),
        (lambda: CTRNN(I, 0), ValueError, "sizes of the input layer"),
        (lambda: CTRNN(I, N, readout_constraints=[NonNegative()]), ValueError, "Expected an `output_size`"),
        (lambda: CTRNN(I, N)(torch.ones(T, B, 5)), ValueError, "Expected an input of 2 features"),
        (lambda: CTRNN(I, N)(torch.ones(T, B, I).double()), TypeError, "Expected an input of torch.float32"),
        (lambda: CTRNN(I, N)(torch.ones(T, B, I), dt=0.0), ValueError, "Expected `dt` to be positive"),
        (lambda: CTRNN(I, N, method="euler")(torch.ones(T, B, I), dt=11.0), ValueError, "at most the smallest `tau`"),
        (lambda: CTRNN(I, N)(torch.ones(T, B, I), torch.ones(B, N)), TypeError, "Expected `state` to be a CTRNNState"),
        (lambda: CTRNN(I, N)(torch.ones(T, B, I), CTRNN(I, N).initial_state(torch.ones(9, I))), ValueError, "state.v"),
        (
            lambda: CTRNN(I, N, recurrent_constraints=[Dale(ei_signs(5))]),
            ValueError,
            "recurrent weight: Expected `signs` with one value",
        ),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_an_output_that_nothing_reaches_is_named():
    with pytest.warns(UserWarning, match="Nothing reaches output 1"):
        CTRNN(I, N, output_size=2, readout_constraints=[Sparsity(torch.tensor([[1.0] * N, [0.0] * N]))])


def test_a_neuron_that_nothing_reaches_is_named():
    mask = torch.ones(N, N)
    mask[4] = 0
    inputs = torch.ones(N, I)
    CTRNN(I, N, recurrent_constraints=[Sparsity(mask)])  # the input reaches it
    inputs[4] = 0
    with pytest.warns(UserWarning, match="Nothing reaches neuron 4"):
        CTRNN(I, N, recurrent_constraints=[Sparsity(mask)], input_constraints=[Sparsity(inputs)])

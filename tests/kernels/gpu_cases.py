"""Fused kernels against the step loop and autograd, on any device: what `test_gpu.py` and `interpreted.py` share."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from conex_nn import surrogate
from conex_nn.functional import aelif_step, elif_step, li_step, lif_step, membrane_coefficients
from conex_nn.kernels import adaptive_rows, adaptive_sequence, li_rows, li_sequence, lif_rows, lif_sequence

SURROGATES = [
    surrogate.straight_through(),
    surrogate.fast_sigmoid(slope=3.1),
    surrogate.atan(),
    surrogate.sigmoid(slope=4.3),
    surrogate.triangle(width=0.7, height=0.3),
    surrogate.triangular(threshold=0.9),
    surrogate.heaviside(),
    surrogate.exponential(slope=2.3, scale=0.7),
    surrogate.spike_rate_escape(beta=1.3, slope=0.7),
    surrogate.sparse_fast_sigmoid(slope=2.1, bound=-0.3),
    surrogate.leaky(slope=0.3),
]
DT = 0.7  # a number that single precision rounds


@dataclass(frozen=True)
class Case:
    """One way to run neurons."""

    model: str
    soft: bool = False
    detach: bool = True
    pauses: bool = False
    currents: int = 0
    each: bool = False
    """Every neuron of a sample has constants of its own."""
    learn: bool = True
    spike_fn: surrogate.Surrogate = SURROGATES[2]
    shape: tuple[int, ...] = (2, 5)
    steps: int = 6
    layout: str = "contiguous"
    half: bool = False
    """Single precision with half-precision input, as under autocast; else all in double."""

    def __str__(self) -> str:
        switches = [name for name in ("soft", "detach", "pauses", "each", "learn", "half") if getattr(self, name)]
        rest = [self.spike_fn.kind, "x".join(map(str, (self.steps, *self.shape))), self.layout]
        return "-".join([self.model, *([f"{self.currents}w"] if self.model == "adaptive" else []), *switches, *rest])


def cases() -> list[Case]:
    """Everything the kernels are specialised for, and shapes and layouts that could trip them."""
    flags = (False, True)
    # Whatever three switches say, the fourth follows: all there is of any three, in half as many cases.
    plain = [Case("lif", s, d, p, each=s ^ d ^ p) for s in flags for d in flags for p in flags]
    adapting = [
        Case("adaptive", s, d, s != d, currents=k, each=k != 1) for k in (0, 1, 2) for s in flags for d in flags
    ]
    surrogates = [Case("lif", detach=False, learn=False, spike_fn=f, shape=(7,)) for f in SURROGATES]
    models = [Case("li"), Case("lif", pauses=True), Case("adaptive", pauses=True, currents=2)]
    odd = [
        Case(case.model, pauses=case.pauses, currents=case.currents, **change)
        for case in models
        for change in (
            {"shape": (1,), "steps": 5},
            {"shape": (2, 37), "steps": 3, "each": True},  # more than one program, the last not full
            {"shape": (3,), "steps": 1},
            {"shape": (2, 16), "layout": "constant", "learn": False},
            {"shape": (2, 3), "layout": "batch first"},
            {"shape": (4, 16), "half": True},
        )
    ]
    return [*plain, *adapting, *surrogates, Case("li", each=True), Case("li"), *odd]


def leaves(case: Case, device: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Inputs, states and constants under which neurons fire often, by name."""
    generator = torch.Generator().manual_seed(0)
    neurons = case.shape[-1:] if case.each else (1,)

    def draw(low: float, high: float, *shape: int) -> Tensor:
        drawn = low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)
        return drawn.to(device=device, dtype=dtype)

    sequence = (case.steps, *case.shape)
    if case.layout == "constant":
        current = draw(0, 3, *case.shape).expand(sequence)
    elif case.layout == "batch first":
        current = draw(0, 3, case.shape[0], case.steps, *case.shape[1:]).transpose(0, 1)
    else:
        current = draw(0, 3, *sequence)
    found = {
        "current": current,
        "v": draw(-0.5, 1.2, *case.shape),
        "tau_mem": draw(3, 6, *neurons),
        "v_rest": draw(-0.1, 0.1, *neurons),
        "resistance": draw(2, 3, *neurons),
    }
    if case.model != "li":
        found |= {"v_threshold": draw(0.9, 1.1, *neurons), "v_reset": draw(-0.2, 0.2, *neurons)}
        found |= {"refractory": draw(0, 2, *case.shape), "refractory_time": draw(1, 3, *neurons)}
    if case.model == "adaptive":
        found |= {"delta_t": draw(0.1, 0.2, *neurons), "v_rh": draw(0.7, 0.9, *neurons)}
    if case.model == "adaptive":
        each = (case.currents, *neurons)
        found |= {"w": draw(-0.2, 0.2, case.currents, *case.shape), "tau_w": draw(5, 20, *each)}
        found |= {"a": draw(-0.2, 0.2, *each), "b": draw(0.1, 0.3, *each)}
    states = {"current", "v", "w"}
    if case.half:
        found["current"] = current.bfloat16()
    for name, tensor in found.items():
        tensor.requires_grad_(name in states or (case.learn and not name.startswith("refractory")))
    return found


def stepped(case: Case, x: dict[str, Tensor]) -> list[Tensor]:
    """The plain step loop: spikes (or potentials) of all steps, then the state at the end."""
    x = dict(x)
    current, v, left = x.pop("current"), x.pop("v"), x.pop("refractory", None)
    pause = x.pop("refractory_time", None)
    left = left if case.pauses else None
    w, outputs = x.pop("w", None), []
    rest = {"dt": DT} if case.model == "li" else {
        "dt": DT, "spike_fn": case.spike_fn, "refractory_time": pause if case.pauses else None,
        "soft_reset": case.soft, "detach_reset": case.detach,
    }  # fmt: skip
    if case.currents:
        # `w` has an axis more than `v`: the constants of a current have axes for the batch in between.
        between = [1] * (v.dim() - 1)
        x |= {name: x[name].reshape(case.currents, *between, -1) for name in ("tau_w", "a", "b")}
    elif case.model == "adaptive":
        x = {name: value for name, value in x.items() if name not in ("tau_w", "a", "b")}
    for arriving in current:
        if case.model == "li":
            v = li_step(arriving.to(v.dtype), v, **x, **rest)
            outputs.append(v)
        elif case.currents:
            spikes, v, w, left = aelif_step(arriving.to(v.dtype), v, w, left, **x, **rest)
            outputs.append(spikes)
        else:
            step = elif_step if case.model == "adaptive" else lif_step
            spikes, v, left = step(arriving.to(v.dtype), v, left, **x, **rest)
            outputs.append(spikes)
    ends = {"li": [], "lif": [v], "adaptive": [v, w]}[case.model]
    sequence = torch.stack(outputs)
    sequence = sequence if case.model == "li" else sequence.to(current.dtype)
    return [sequence, *ends, *([left] if case.pauses else [])]


def fused(case: Case, x: dict[str, Tensor]) -> list[Tensor]:
    """The same by the kernels."""
    decay, gain, drive = membrane_coefficients(x["tau_mem"], x["v_rest"], x["resistance"], dt=DT)
    coefficients = {"decay": decay, "gain": gain, "drive": drive}
    if case.model == "li":
        return [li_sequence(x["current"], x["v"], li_rows(x["v"].shape, **coefficients))]
    pause = x["refractory_time"] if case.pauses else None
    constants = {**coefficients, "v_threshold": x["v_threshold"], "v_reset": x["v_reset"], "refractory_time": pause}
    options = {
        "dt": DT, "surrogate": case.spike_fn, "pauses": case.pauses, "soft_reset": case.soft,
        "detach_reset": case.detach,
    }  # fmt: skip
    if case.model == "lif":
        rows = lif_rows(x["v"].shape, **constants)
        spikes, v, left = lif_sequence(x["current"], x["v"], x["refractory"], rows, **options)
        return [spikes, v, *([left] if case.pauses else [])]
    decay_w = torch.exp(-DT / x["tau_w"])
    rows = adaptive_rows(
        x["v"].shape, **constants,
        sharpness=(1 - decay) * x["delta_t"], inverse_delta=1 / x["delta_t"], v_rh=x["v_rh"], v_rest=x["v_rest"],
        decay_w=decay_w, coupling=(1 - decay_w) * x["a"], jump=x["b"],
    )  # fmt: skip
    spikes, v, w, left = adaptive_sequence(x["current"], x["v"], x["w"], x["refractory"], rows, **options)
    return [spikes, v, w, *([left] if case.pauses else [])]


def gradients(outputs: list[Tensor], x: dict[str, Tensor], *, constant: bool) -> dict[str, Tensor]:
    """Gradients of a weighted sum of the outputs with respect to all leaves that want one."""
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros((), dtype=torch.float64, device=outputs[0].device)
    for output in outputs:
        if output.requires_grad:
            # The same weights at each step reach the kernel as a gradient without a stride in time.
            shape = output.shape[1:] if constant and output is outputs[0] else output.shape
            weights = torch.randn(shape, generator=generator, dtype=torch.float64).to(output)
            output = output.sum(0) if shape != output.shape else output
            total = total + (output * weights).sum().double()
    wanted = {name: leaf for name, leaf in x.items() if leaf.requires_grad and leaf.numel()}
    found = torch.autograd.grad(total, list(wanted.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(wanted, found, strict=True))


def check(case: Case, *, device: str = "cpu", dtype: torch.dtype = torch.float64, compiled: bool = False) -> None:
    """Raise unless the kernels and the step loop agree on outputs and gradients, and the kernels on inference."""
    dtype = torch.float32 if case.half else dtype
    x = leaves(case, device, dtype)
    run: Callable[[Case, dict[str, Tensor]], list[Tensor]] = torch.compile(fused, fullgraph=True) if compiled else fused
    got, expected = run(case, x), stepped(case, x)
    constant = case.layout == "constant"
    got_grads = gradients(got, x, constant=constant)
    expected_grads = gradients(expected, x, constant=constant)
    with torch.no_grad():
        inferred = run(case, x)
    if case.model != "li" and case.steps > 1 and not 0.02 < expected[0].float().mean() < 0.9:
        raise AssertionError(f"{case} fires at {expected[0].float().mean()}: it tests nothing")
    rtol = 1e-9 if dtype == torch.float64 else 1e-4
    for i, (one, other) in enumerate(zip(got, expected, strict=False)):
        torch.testing.assert_close(one, other, rtol=rtol, atol=rtol, msg=lambda text, i=i: f"output {i}: {text}")
    for one, other in zip(inferred, got, strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=0, atol=0)
    for name, grad in expected_grads.items():
        allowed = 0.01 if grad.dtype == torch.bfloat16 else rtol
        torch.testing.assert_close(
            got_grads[name], grad, rtol=allowed, atol=allowed, msg=lambda text, name=name: f"d {name}: {text}"
        )


def check_half(dtype: torch.dtype, *, device: str = "cpu") -> None:
    """Raise unless neurons in half precision compute in single and compare with the threshold what they save."""
    case = Case("lif", learn=False, shape=(2, 40), steps=12)
    x = {name: leaf.detach() for name, leaf in leaves(case, device, dtype).items()}
    x["current"].requires_grad_()
    spikes, v = fused(case, x)
    decay, gain, drive = membrane_coefficients(x["tau_mem"], x["v_rest"], x["resistance"], dt=DT)
    expected, before = [], x["v"].float()
    for arriving in x["current"].detach():
        charged = decay.float() * before + (gain.float() * arriving.float() + drive.float())
        charged = charged.to(dtype).float()
        expected.append(charged >= x["v_threshold"].float())
        before = torch.where(expected[-1], x["v_reset"].float(), charged)
    torch.testing.assert_close(spikes, torch.stack(expected).to(dtype))
    torch.testing.assert_close(v, before.to(dtype), rtol=0, atol=0)
    spikes.sum().backward()
    torch.testing.assert_close(x["current"].grad, x["current"].grad.abs().clamp(1e-6, 10))

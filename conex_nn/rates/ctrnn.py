"""The rate network in continuous time."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from conex_nn.functional import ctrnn_step, decay_factor, noise_factor, rise_factor
from conex_nn.functional.leak import Method
from conex_nn.kernels import acts_alone, ctrnn_sequence, input_product, runs_fused
from conex_nn.parameters import register
from conex_nn.rates.activation import Activation, checked_activation
from conex_nn.rates.areas import Areas
from conex_nn.rates.constrain import How
from conex_nn.rates.constraint import Constraint, Dale, Sparsity
from conex_nn.rates.layer import Init, make_layer, warn_of_silent
from conex_nn.scan import Observer, check_sequence, check_state, in_blocks, scan

__all__ = ["CTRNN", "CTRNNState"]

_WIDEST = 30.0  # a trainable time constant stays within e^-30 and e^30 and so finite, whatever the optimizer does


class CTRNNState(NamedTuple):
    """Fast state of a rate network."""

    v: Tensor
    """Activation variable [1]."""
    rate: Tensor
    """Rates, noise included [1]."""


class CTRNN(nn.Module):
    r"""A recurrent network of rate neurons in continuous time.

    .. math:: \tau \dot v = -v + W_\mathrm{rec} r + b + W_\mathrm{in} u + b_\mathrm{in}, \qquad r = f(v)

    with the readout :math:`y = W_\mathrm{out} r + b_\mathrm{out}`. The leak is integrated exactly, the rates are held
    over a step; with ``method="euler"`` and ``dt`` equal to ``tau`` it is ``torch.nn.RNN``.

    Its three layers are ``nn.Linear``: ``net.input``, ``net.recurrent``, ``net.readout``, and :func:`constrain` holds
    any of their weights to Dale's law, to a mask, to a sign. It starts at ``v_initial``: 0, or learned if that is an
    ``nn.Parameter``; it goes on where it stopped if the state that it returned is passed in.

    Noise is there in ``train()`` only, and what it adds up to over time does not depend on ``dt``: white noise of
    ``noise`` on ``v``, whose stationary spread in a neuron by itself is ``noise * sqrt(tau / 2)``; white noise on the
    rates, whose integral over a time ``t`` has the spread ``rate_noise * sqrt(t)``.

    Args:
        input_size: Number of inputs.
        hidden_size: Number of neurons.
        output_size: Number of outputs; None for the rates themselves.
        activation: From ``v`` to rates: any callable on tensors.
        tau: Time constant: one, one per neuron, or, with ``areas``, one per area, also by the areas' names. An
            ``nn.Parameter`` is trained and stays positive [ms].
        areas: Areas, whose masks and signs the weights have to obey, before ``..._constraints``.
        noise: Noise before the activation [1/sqrt(ms)].
        rate_noise: Noise after the activation [sqrt(ms)].
        v_initial: Where ``v`` starts, one value or one per neuron; learned if an ``nn.Parameter`` [1].
        bias: Whether the layers have biases.
        method: ``"exact"`` or ``"euler"`` integration of the leak.
        input_constraints: What the input weights have to obey.
        recurrent_constraints: What the recurrent weights have to obey.
        readout_constraints: What the readout weights have to obey.
        how: Whether constraints are kept by a parametrization or by projection; see :func:`constrain`.
        input_init: Fills the input weights in place, as ``torch.nn.init`` does; several are called in turn, each
            on what the constraints made of the one before. None for that of ``nn.Linear``.
        recurrent_init: The same for the recurrent weights.
        readout_init: The same for the readout weights.

    Raises:
        TypeError: An activation that is no callable on tensors.
        ValueError: Values of the wrong sign or shape, an unknown method.

    Warns:
        UserWarning: Neurons that nothing reaches, by their index.

    Example:
        >>> from conex_nn.rates import Dale, NoSelf, NonNegative, ei_signs
        >>> signs = ei_signs(100, excitatory=0.8)
        >>> net = CTRNN(2, 100, output_size=3, tau=100.0, noise=0.01,
        ...     recurrent_constraints=[Dale(signs), NoSelf()], readout_constraints=[NonNegative()])
        >>> output, state = net(torch.rand(50, 8, 2), dt=20.0)  # (time, batch, features)
        >>> output.shape
        torch.Size([50, 8, 3])
        >>> output, state = net(torch.rand(50, 8, 2), state, dt=20.0)  # goes on where it stopped

    References:
        Song, Yang and Wang, PLoS Computational Biology 12 (2016), equations 1 to 4.
    """

    tau: Tensor
    noise: Tensor
    rate_noise: Tensor
    v_initial: Tensor
    area_of: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        output_size: int | None = None,
        activation: Activation = torch.relu,
        tau: float | Tensor | Mapping[str, float] = 10.0,
        areas: Areas | None = None,
        noise: float | Tensor = 0.0,
        rate_noise: float | Tensor = 0.0,
        v_initial: float | Tensor = 0.0,
        bias: bool = True,
        method: Method = "exact",
        input_constraints: Iterable[Constraint] = (),
        recurrent_constraints: Iterable[Constraint] = (),
        readout_constraints: Iterable[Constraint] = (),
        how: How = "parametrize",
        input_init: Init = None,
        recurrent_init: Init = None,
        readout_init: Init = None,
    ) -> None:
        super().__init__()
        if areas is not None and len(areas) != hidden_size:
            raise ValueError(f"Expected `areas` that cover the {hidden_size} neurons, got {areas} with {len(areas)}.")
        if method not in get_args(Method):
            raise ValueError(f"Expected `method` to be one of {get_args(Method)}, got {method!r}.")
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, output_size
        self.method: Method = method
        self.areas = areas
        if areas is not None:
            of_areas = _constraints(areas, input_size, output_size)
            input_constraints = (*of_areas[0], *input_constraints)
            recurrent_constraints = (*of_areas[1], *recurrent_constraints)
            readout_constraints = (*of_areas[2], *readout_constraints)
        self.input = make_layer("input", input_size, hidden_size, bias, input_constraints, how, input_init)
        self.recurrent = make_layer(
            "recurrent", hidden_size, hidden_size, bias, recurrent_constraints, how, recurrent_init
        )
        self.readout = None
        if output_size is not None:
            self.readout = make_layer("readout", hidden_size, output_size, bias, readout_constraints, how, readout_init)
        elif tuple(readout_constraints) or readout_init is not None:
            raise ValueError("Expected an `output_size` with `readout_constraints` or `readout_init`, got None.")
        warn_of_silent("neuron", self.input, self.recurrent)
        if self.readout is not None:
            warn_of_silent("output", self.readout)
        self.activation = checked_activation(activation, hidden_size)
        self._alone = acts_alone(activation, hidden_size)
        self._register_tau(tau)
        register(self, "noise", noise, unit="1/sqrt(ms)", not_negative=True)
        register(self, "rate_noise", rate_noise, unit="sqrt(ms)", not_negative=True)
        register(self, "v_initial", v_initial, unit="1")
        for name in ("noise", "rate_noise", "v_initial"):
            value = getattr(self, name)
            if value.shape not in ((1,), (hidden_size,)):
                raise ValueError(
                    f"Expected `{name}` as one value or one for each of {hidden_size} neurons, "
                    f"got shape {tuple(value.shape)}."
                )

    def _register_tau(self, tau: float | Tensor | Mapping[str, float]) -> None:
        """Keep the time constant as it is given, and which of its values is whose."""
        by_name = isinstance(tau, Mapping)
        if by_name:
            if self.areas is None:
                raise ValueError("Expected `areas` with a `tau` by the areas' names [ms], got None.")
            tau = self.areas.per_area(tau)
        register(self, "tau", tau, unit="ms", positive=True)
        shape, allowed = self.tau.shape, {(1,), (self.hidden_size,)}
        if self.areas is not None:
            allowed.add((len(self.areas.names),))
        if tuple(shape) not in allowed:
            per_area = "" if self.areas is None else f" or {len(self.areas.names)} areas"
            raise ValueError(
                f"Expected `tau` as one value or one for each of {self.hidden_size} neurons{per_area} [ms], "
                f"got shape {tuple(shape)}."
            )
        by_area = by_name or (self.areas is not None and shape not in ((1,), (self.hidden_size,)))
        self.register_buffer("area_of", self.areas.area_of() if by_area and self.areas is not None else None)

    def time_constants(self) -> Tensor:
        """Return the time constant: one for all, or one per neuron [ms]."""
        return self.tau if self.area_of is None else self.tau[self.area_of]

    def initial_state(self, x: Tensor) -> CTRNNState:
        """Return the state before the first step.

        Args:
            x: Input of one step, ``(*batch, input_size)``, for its shape.
        """
        self._check_input(x)
        v = self.v_initial.expand(*x.shape[:-1], self.hidden_size)
        v = v if v.requires_grad else v.clone()
        return CTRNNState(v, self.activation(v))

    def step(self, x: Tensor, state: CTRNNState, *, dt: float = 1.0) -> tuple[Tensor, CTRNNState]:
        """Advance by one step.

        Args:
            x: Input, ``(*batch, input_size)`` [1].
            state: State before the step.
            dt: Length of the step [ms].

        Returns:
            Output ``(*batch, output_size)``, or the rates if there is no readout, and the state after the step.
        """
        self._check_step(dt)
        rate, state = self._step(x, state, dt)
        return self._read(rate), state

    def rates(
        self,
        xs: Tensor,
        state: CTRNNState | None = None,
        *,
        dt: float = 1.0,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
        observe: Observer | None = None,
    ) -> tuple[Tensor, CTRNNState]:
        """Advance over a sequence and return the rates of all neurons; ``net.readout(rates)`` is the output.

        Args:
            xs: Input, ``(time, *batch, input_size)`` [1].
            state: State before the first step; None for :meth:`initial_state`.
            dt: Length of a step [ms].
            detach_every: Steps after which gradients stop (truncated back-propagation through time).
            checkpoint_every: Steps whose activations are computed again in the backward pass instead of kept.
            observe: Called after each step with its rates and state; the steps are then run one by one.

        Returns:
            Rates of all steps ``(time, *batch, hidden_size)``, and the state after the last.

        Raises:
            TypeError: A dtype that does not fit the weights.
            ValueError: A shape that does not fit, an empty sequence, a ``dt`` that is not positive, or above ``tau``
                with Euler's method.
        """
        check_sequence(xs)
        self._check_step(dt)
        self._check_input(xs)
        if state is not None:
            check_state(state, self.initial_state(xs[0]), xs)
        returned = False  # what a backward pass computes again is not observed again

        def run(block: Tensor, state: CTRNNState | None) -> tuple[Tensor, CTRNNState]:
            if state is None:  # made within the first block, which has its gradient
                state = self.initial_state(block[0])
            if observe is None and self._alone and runs_fused(self.activation, state.v):
                return self._fused(block, state, dt)
            watch = None if returned else observe
            return scan(lambda x, s: self._step(x, s, dt), block, state, observe=watch)

        result = in_blocks(run, xs, state, detach_every=detach_every, checkpoint_every=checkpoint_every)
        returned = True
        return result

    @override
    def forward(
        self,
        xs: Tensor,
        state: CTRNNState | None = None,
        *,
        dt: float = 1.0,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
        observe: Observer | None = None,
    ) -> tuple[Tensor, CTRNNState]:
        """Advance over a sequence.

        Args:
            xs: Input, ``(time, *batch, input_size)`` [1].
            state: State before the first step; None for :meth:`initial_state`.
            dt: Length of a step [ms].
            detach_every: Steps after which gradients stop (truncated back-propagation through time).
            checkpoint_every: Steps whose activations are computed again in the backward pass instead of kept.
            observe: Called after each step with its output and state; the steps are then run one by one.

        Returns:
            Outputs of all steps ``(time, *batch, output_size)``, or the rates if there is no readout, and the state
            after the last step.

        Raises:
            TypeError: A dtype that does not fit the weights.
            ValueError: As for :meth:`rates`.
        """
        watch = None if observe is None else lambda rate, state: observe(self._read(rate), state)
        rates, state = self.rates(
            xs, state, dt=dt, detach_every=detach_every, checkpoint_every=checkpoint_every, observe=watch
        )
        return self._read(rates), state

    def _read(self, rates: Tensor) -> Tensor:
        return rates if self.readout is None else self.readout(rates)

    def _bias(self) -> Tensor | None:
        """Return the two biases of the neurons as one."""
        return None if self.input.bias is None else self.input.bias + self.recurrent.bias

    def _step(self, x: Tensor, state: CTRNNState, dt: float) -> tuple[Tensor, CTRNNState]:
        tau = self.time_constants()
        current = F.linear(x, self.input.weight, self._bias())
        v = ctrnn_step(current, state.v, state.rate, weight=self.recurrent.weight, tau=tau, dt=dt, method=self.method)
        if self.training:
            v = v + self._shake(v, dt)
        rate = self.activation(v)
        if self.training:
            rate = rate + self.rate_noise * dt**-0.5 * torch.randn_like(rate)
        return rate, CTRNNState(v, rate)

    def _shake(self, like: Tensor, dt: float) -> Tensor:
        spread = self.noise * noise_factor(self.time_constants(), dt=dt, method=self.method)
        return spread * torch.randn_like(like)

    def _fused(self, xs: Tensor, state: CTRNNState, dt: float) -> tuple[Tensor, CTRNNState]:
        """Advance over a sequence: the input of all steps as one product, then a lean loop."""
        tau = self.time_constants()
        rise = rise_factor(tau, dt=dt, method=self.method)
        rows = rise.expand(self.hidden_size)[:, None]  # the rise goes into the weights, which are few
        bias = self._bias()
        drive = input_product(xs, self.input.weight * rows, None if bias is None else bias * rows[:, 0])
        noise = None
        if self.training and self._is_noisy("noise"):
            drive = drive + self._shake(drive, dt)
        if self.training and self._is_noisy("rate_noise"):
            noise = self.rate_noise * dt**-0.5 * torch.randn_like(drive)
        rates, v = ctrnn_sequence(
            drive,
            state.v,
            state.rate,
            weight=self.recurrent.weight * rows,
            decay=decay_factor(tau, dt=dt, method=self.method),
            activation=self.activation,
            noise=noise,
        )
        return rates, CTRNNState(v, rates[-1].clone())  # a view would keep the whole sequence in memory

    def _is_noisy(self, name: str) -> bool:
        value = getattr(self, name)
        return isinstance(value, nn.Parameter) or bool(value.any())

    def _check_input(self, x: Tensor) -> None:
        dtype = self.v_initial.dtype
        if x.shape[-1] != self.input_size:
            raise ValueError(
                f"Expected an input of {self.input_size} features, (time, *batch, features), got {x.shape[-1]} in its "
                "last axis."
            )
        if x.dtype != dtype and not torch.is_autocast_enabled(x.device.type):
            raise TypeError(
                f"Expected an input of {dtype}, the dtype of the weights, got {x.dtype}. "
                f"Convert one of them: `net.to({x.dtype})`."
            )

    def _check_step(self, dt: float) -> None:
        if not dt > 0:
            raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
        if self.method != "euler" or torch.compiler.is_compiling() or self.tau.is_meta:
            return
        least = self.tau.detach().min().item()
        if dt > least * (1 + 1e-6):
            raise ValueError(
                f"Expected `dt` to be at most the smallest `tau`, {least:g} ms, with Euler's method, got {dt} ms. "
                'Take smaller steps, or `method="exact"`.'
            )

    def __getattr__(self, name: str) -> Any:
        """Find the time constant, kept as its logarithm if it is trained."""
        logarithm = self.__dict__.get("_parameters", {}).get("log_tau") if name == "tau" else None
        return super().__getattr__(name) if logarithm is None else logarithm.clamp(-_WIDEST, _WIDEST).exp()

    @override
    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, output_size={self.output_size}, method={self.method!r}"


def _constraints(areas: Areas, inputs: int, outputs: int | None) -> tuple[list[Constraint], ...]:
    """Return what areas demand of the input, recurrent and readout weights."""
    found: tuple[list[Constraint], ...] = ([], [], [])
    if areas.receives is not None:
        found[0].append(Sparsity(areas.input_mask(inputs)))
    if areas.recurrent is not None:
        found[1].append(Sparsity(areas.recurrent))
    if areas.read is not None and outputs is not None:
        found[2].append(Sparsity(areas.readout_mask(outputs)))
    if areas.signs is not None:
        found[1].append(Dale(areas.signs))
        if outputs is not None:
            found[2].append(Dale(areas.signs))
    return found

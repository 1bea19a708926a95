"""Record spikes and state variables of a run, without touching the modules."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from conex_nn.neurons import Neuron
from conex_nn.recording.spiking import is_spiking, outlet
from conex_nn.structure import Population, Source
from conex_nn.structure.recorder import in_backward
from conex_nn.structure.recording import Recording, nearest

__all__ = ["module_at", "record"]


@contextmanager
def record(
    module: nn.Module, *addresses: str, variables: Iterable[str] = ("spikes",), detach: bool = True
) -> Iterator[Recording]:
    """Record what the modules at some addresses do while the block runs.

    Spikes and outputs are read from what a module returns. State variables need a look at every step: the neurons then
    run step by step instead of in one fused pass, with the same results. The hooks are gone when the block ends.

    Args:
        module: A network, or any module.
        addresses: Dotted paths of modules within it, as ``named_modules`` gives them; ``""`` is the module itself.
        variables: Of each: ``"spikes"`` (of spiking neurons and their populations), ``"output"`` (of any module), or a
            state variable of a neuron, such as ``"v"``. Populations of a ``Neocortex`` show more to its ``record``.
        detach: Keep the values only; otherwise gradients pass through what is recorded.

    Yields:
        A :class:`Recording`, filled as the module is called: ``recording["address.variable"]``.

    Raises:
        ValueError: No address or no variable, an address that does not exist, a variable that a module lacks.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Sequential(nn.Linear(4, 8), cx.LIF(), nn.Linear(8, 2), cx.LI())
        >>> with record(net, "1", variables=("spikes", "v")) as recording:
        ...     ys, state = net(torch.rand(10, 3, 4))
        >>> recording["1.v"].shape
        torch.Size([10, 3, 8])
    """
    variables = (variables,) if isinstance(variables, str) else tuple(variables)
    if not addresses or not variables:
        raise ValueError(f"Expected at least one address and one variable, got {addresses} and {variables}.")
    targets = {address: module_at(module, address) for address in addresses}
    for address, target in targets.items():
        _check_variables(address, target, variables)
    recording = Recording(_key(address, variable) for address in targets for variable in variables)

    def store(address: str, variable: str, values: Tensor) -> None:
        recording.append(_key(address, variable), values.detach() if detach else values)

    handles = []
    try:
        for address, target in targets.items():
            handles += _listen(target, variables, partial(store, address))
        yield recording
    finally:
        for handle in handles:
            handle.remove()


def module_at(net: nn.Module, address: str) -> nn.Module:
    """Return the module at an address.

    Args:
        net: Any module.
        address: Dotted path within it, as ``named_modules`` gives it.

    Raises:
        ValueError: There is no such module.

    Example:
        >>> module_at(nn.Sequential(nn.ReLU()), "0")
        ReLU()
    """
    modules = dict(net.named_modules())
    if address not in modules:
        raise ValueError(f"Expected the address of a module, got {address!r}.{nearest(address, filter(None, modules))}")
    return modules[address]


def _key(address: str, variable: str) -> str:
    return f"{address}.{variable}" if address else variable


def _check_variables(address: str, target: nn.Module, variables: tuple[str, ...]) -> None:
    fields = getattr(getattr(target, "State", None), "_fields", None)
    if isinstance(target, Neuron) and fields is None:
        return  # its state is known once it runs
    known = (*(["spikes"] if is_spiking(target) or isinstance(target, Source) else []), "output", *(fields or ()))
    for variable in variables:
        if variable not in known:
            hint = " `net.record(...)` sees the state of populations." if isinstance(target, Population) else ""
            raise ValueError(
                f"Expected a variable of {address!r} ({type(target).__name__}), got {variable!r}."
                f"{nearest(variable, known)}{hint}"
            )


def _listen(target: nn.Module, variables: tuple[str, ...], store: Callable[[str, Tensor], None]) -> list[Any]:
    """Hook one module; `store` takes the name of a variable and its values over time."""
    of_output = [name for name in variables if name in ("spikes", "output")]
    of_state = [name for name in variables if name not in of_output]
    steps: list[list[Tensor]] = []

    def before(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        given = kwargs.get("observe")

        def observe(output: Tensor, state: Any) -> None:
            steps.append([_variable(state, name) for name in of_state])
            if given is not None:
                given(output, state)

        steps.clear()
        return args, {**kwargs, "observe": observe}

    def after(_: nn.Module, __: Any, result: Any) -> None:
        if in_backward():
            return
        for name in of_output:
            store(name, result[0] if isinstance(result, tuple) else result)
        for name, values in zip(of_state, zip(*steps, strict=True), strict=True):
            store(name, torch.stack(values))
        steps.clear()

    handles: list[Any] = [outlet(target).register_forward_hook(after)]
    if of_state:
        handles.append(target.register_forward_pre_hook(before, with_kwargs=True))
    return handles


def _variable(state: Any, name: str) -> Tensor:
    """Return a variable of a state: by its field's name, or by its place in a plain tuple."""
    if hasattr(state, "_fields") and name in state._fields:
        return getattr(state, name)
    if name.isdecimal() and int(name) < len(state):
        return state[int(name)]
    names = getattr(state, "_fields", [str(place) for place in range(len(state))])
    raise ValueError(f"Expected a state variable, got {name!r}.{nearest(name, names)}")

"""What follows from a module's constants alone, kept from call to call until one of them changes.

It is kept beside the module and not on it: its ``state_dict``, its copies and its pickles know nothing of it.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from conex_nn.kernels.direct import plain

__all__ = ["kept"]

_Result = TypeVar("_Result")


class _Kept(NamedTuple):
    key: Hashable
    constants: tuple[tuple[Tensor, int], ...]
    """Each constant with the number of times that it had been written to."""
    result: Any

    def holds(self, key: Hashable, constants: Sequence[Tensor]) -> bool:
        """Whether nothing has changed since."""
        if self.key != key or len(self.constants) != len(constants):
            return False
        for now, (then, version) in zip(constants, self.constants, strict=True):
            if now is not then or now._version != version or now.requires_grad:
                return False
        return True


_KEPT: WeakKeyDictionary[nn.Module, dict[str, _Kept]] = WeakKeyDictionary()


def kept(
    module: nn.Module, name: str, key: Hashable, make: Callable[[], _Result], *, of: Sequence[Tensor] | None = None
) -> _Result:
    """Return what a function computes from a module's constants, computed anew only where one of them has changed.

    A constant that is replaced counts, and one that is written to in place, other than through ``.data``. Nothing is
    kept of trainable constants, nor under ``torch.compile``, ``torch.func`` and their like.

    Args:
        module: The module.
        name: What is computed.
        key: What it depends on besides the constants.
        make: Computes it.
        of: The constants that it is computed from, where they are not all buffers of the module, or not its alone.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> neuron = LIF(tau_mem=2.0)
        >>> kept(neuron, "double", None, lambda: 2 * neuron.tau_mem)
        tensor([4.])
        >>> kept(neuron, "double", None, lambda: 3 * neuron.tau_mem)
        tensor([4.])
        >>> _ = neuron.tau_mem.fill_(5.0)
        >>> kept(neuron, "double", None, lambda: 2 * neuron.tau_mem)
        tensor([10.])
    """
    if of is None and (module._parameters or module._modules):  # modules inside: a parametrization, say
        return make()
    constants = [c for c in module._buffers.values() if c is not None] if of is None else of
    if not constants or not plain(constants[0]):
        return make()
    if constants[0].is_cuda:
        if torch.cuda.is_current_stream_capturing():
            return make()  # the graph would read it when it has long been freed
        key = (key, torch._C._cuda_getCurrentRawStream(constants[0].get_device()))  # no stream waits for another's
    results = _KEPT.get(module)
    found = None if results is None else results.get(name)
    if found is not None and found.holds(key, constants):
        return found.result
    if any(type(c) is not Tensor or c.is_inference() or c.requires_grad for c in constants):
        return make()
    versions = tuple((constant, constant._version) for constant in constants)
    with torch.inference_mode(False):
        result = make()
    _KEPT.setdefault(module, {})[name] = _Kept(key, versions, result)
    return result

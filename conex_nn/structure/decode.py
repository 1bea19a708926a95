"""From plain values, as JSON holds them, to arguments: the way back of `describe`, value by value.

Nothing in a tree is trusted: a function is one of the registry, and everything else is a plain value or a tensor.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from conex_nn import surrogate
from conex_nn.neurons import AELIF
from conex_nn.structure.addresses import nearest
from conex_nn.structure.describe import MARKS
from conex_nn.structure.registry import DISTRIBUTIONS, REGISTERED, SURROGATES, Names
from conex_nn.synapses import Distribution

__all__ = ["Decoder", "join", "only", "shown"]

_DTYPES = ("bfloat16", "float16", "float32", "float64")
_NUMBERS = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


class Decoder:
    """Turns values of a tree into arguments.

    Args:
        names: Finds classes and functions by name.
        tensors: Tensors by address.

    Example:
        >>> from conex_nn.structure.registry import REGISTERED
        >>> decoder = Decoder(REGISTERED, {})
        >>> decoder.value({"surrogate": "atan", "alpha": 3.0}, "v1.neuron", "spike_fn")
        Surrogate(kind='atan', params=(3.0,))
    """

    def __init__(self, names: Names, tensors: Mapping[str, Tensor]) -> None:
        self.names, self.tensors = names, tensors
        self.decided: set[str] = set()
        """Addresses of state that follows from arguments."""
        self.used: set[str] = set()
        """Addresses of tensors that became arguments."""
        self.changed: dict[str, str] = {}
        """What could not be as the file says, by address."""
        self.unnamed: dict[str, str] = {}
        """Initialisers without a name, by address of their synapse."""
        self._fits: Callable[[str, torch.Size], bool] = lambda key, shape: True

    @contextmanager
    def fitting(self, fits: Callable[[str, torch.Size], bool]) -> Iterator[None]:
        """Say for a while which tensors fit, by the name of their argument."""
        before, self._fits = self._fits, fits
        yield
        self._fits = before

    def module(self, tree: Any, path: str) -> Any:
        """Make a thing; see :class:`Builder`."""
        raise ValueError(f"Expected a value at {path!r}, got {shown(tree)}.")

    def value(self, value: Any, path: str, key: str, cls: type = object) -> Any:
        """Return an argument.

        Args:
            value: What stands for it.
            path: Address of what it is for.
            key: Its name.
            cls: Class of what it is for.

        Raises:
            ValueError: It stands for nothing.
        """
        here = join(path, key)
        self.decided.add(here)
        if isinstance(value, list):
            modules = [isinstance(each, dict) and ("class" in each or "same_as" in each) for each in value]
            places = [(here, str(i)) if module else (path, key) for i, module in enumerate(modules)]
            return tuple(self.value(each, *place, cls) for each, place in zip(value, places, strict=True))
        if not isinstance(value, dict):
            return value
        marks = [mark for mark in MARKS if mark in value]
        if not marks:
            return {name: self.value(each, here, name, cls) for name, each in value.items()}
        match marks[0]:
            case "class" | "same_as":
                return self.module(value, here)
            case "copy" if self.names is not REGISTERED:
                return self.names.find(value["copy"])
            case "dtype":
                only(value, ("dtype",), here)
                return self._dtype(value["dtype"], here)
            case "distribution":
                return self._distribution(value, here)
            case "function":
                return self._function(value, here)
            case "learned":
                only(value, ("learned", "start"), here)
                self.decided.discard(here)
                start = value.get("start")
                if isinstance(start, dict) and "tensor" in start:
                    return self._tensor(start, f"{here}.start", key, cls)
                return self._plain(start, here)
            case "number":
                only(value, ("number",), here)
                return self._number(value["number"], here)
            case "surrogate":
                return self._surrogate(value, here)
            case "tensor":
                return self._tensor(value, here, key, cls)
            case "trainable":
                only(value, ("trainable",), here)
                return self._trainable(value["trainable"], path, key, cls)
            case "unnamed":
                only(value, ("unnamed",), here)
                self.unnamed[path] = str(value["unnamed"])[:100]
                return None
            case mark:
                raise ValueError(f"Expected a value at {here!r}, got one with {mark!r}, which no file has.")

    def _plain(self, value: Any, here: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"Expected a number at {here!r}, got {shown(value)}.")
        return value

    def _number(self, name: Any, here: str) -> float:
        if not isinstance(name, str) or name not in _NUMBERS:
            raise ValueError(f"Expected one of {', '.join(_NUMBERS)} at {here!r}, got {shown(name)}.")
        return _NUMBERS[name]

    def _function(self, value: dict[str, Any], here: str) -> Any:
        keywords = {key: each for key, each in value.items() if key != "function"}
        try:
            function = self.names.find(value["function"])
        except ValueError as error:
            raise ValueError(f"{error} It is the function at {here!r}.") from None
        if isinstance(function, type):
            raise ValueError(f"Expected the name of a function at {here!r}, got {value['function']!r}.")
        if not keywords:
            return function
        only(keywords, inspect.signature(function).parameters, here)
        if bad := [key for key, each in keywords.items() if isinstance(each, dict | list)]:
            raise ValueError(f"Expected plain values for {value['function']} at {here!r}, got {keywords[bad[0]]!r}.")
        return partial(function, **keywords)

    def _dtype(self, name: Any, here: str) -> torch.dtype:
        if not isinstance(name, str) or name not in _DTYPES:
            raise ValueError(f"Expected one of {', '.join(_DTYPES)} at {here!r}, got {shown(name)}.")
        return getattr(torch, name)

    def _distribution(self, value: dict[str, Any], here: str) -> Distribution:
        name = value["distribution"]
        if not isinstance(name, str) or name not in DISTRIBUTIONS:
            raise ValueError(f"Expected one of {', '.join(DISTRIBUTIONS)} at {here!r}, got {shown(name)}.")
        only(value, ("distribution", *inspect.signature(DISTRIBUTIONS[name]).parameters), here)
        try:
            return DISTRIBUTIONS[name](**{key: each for key, each in value.items() if key != "distribution"})
        except (TypeError, ValueError) as error:
            raise ValueError(f"Cannot make {here!r}: {error}") from error

    def _surrogate(self, value: dict[str, Any], here: str) -> surrogate.Surrogate:
        kind = value["surrogate"]
        if not isinstance(kind, str) or kind not in SURROGATES:
            raise ValueError(f"Expected one of {', '.join(SURROGATES)} at {here!r}, got {shown(kind)}.")
        only(value, ("surrogate", *SURROGATES[kind]), here)
        arguments = {key: self.value(each, here, key) for key, each in value.items() if key != "surrogate"}
        try:
            return getattr(surrogate, kind)(**arguments)
        except (TypeError, ValueError) as error:
            raise ValueError(f"Cannot make {here!r}: {error}") from error

    def _tensor(self, value: dict[str, Any], address: str, key: str, cls: type) -> Any:
        """Return the tensor at an address, or what stands in for it."""
        only(value, ("tensor", "otherwise"), address)
        self.used.add(address)
        tensor, said = self.tensors.get(address), value["tensor"]
        rows = issubclass(cls, AELIF) and key in ("tau_w", "a", "b")
        if tensor is not None and list(tensor.shape) == said:
            own = tensor.shape[1:] if rows else tensor.shape
            if "otherwise" not in value or self._fits(key, own):
                return tensor.clone()
        if "otherwise" not in value:
            got = "none" if tensor is None else f"one of shape {tuple(tensor.shape)}"
            raise ValueError(f"Expected a tensor of shape {shown(said)} at {address!r}, got {got}.")
        otherwise = value["otherwise"]
        otherwise = tuple(otherwise) if isinstance(otherwise, list) else otherwise
        what = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}, which does not fit"
        self.changed[address] = f"{what}: {otherwise} instead"
        return otherwise

    def _trainable(self, value: Any, path: str, key: str, cls: type) -> nn.Parameter:
        here, logarithm = join(path, key), f"{join(path, f'log_{key}')}"
        if not (isinstance(value, dict) and "tensor" in value):
            self.decided.add(logarithm)
            return nn.Parameter(torch.tensor(float(self._plain(value, here))))
        kept = logarithm if logarithm in self.tensors else here
        found = self._tensor(value, kept, key, cls)
        self.decided.discard(here)
        if isinstance(found, Tensor):
            return nn.Parameter(found.exp() if kept == logarithm else found)
        return nn.Parameter(torch.as_tensor(found, dtype=torch.get_default_dtype()))


def join(*names: str) -> str:
    """Return the address that names make.

    Args:
        names: Names, some of them possibly empty.

    Example:
        >>> join("", "v1", "l4.exc")
        'v1.l4.exc'
    """
    return ".".join(name for name in names if name)


def only(tree: Mapping[str, Any], known: Iterable[str], path: str) -> None:
    """Raise where a tree has a key that is not known.

    Args:
        tree: The tree.
        known: What it may have.
        path: Its address, for the message.

    Raises:
        ValueError: It has another.

    Example:
        >>> only({"shpe": 3}, ["shape"], "v1")
        Traceback (most recent call last):
        ValueError: Expected shape of 'v1', got 'shpe'. Did you mean shape?
    """
    known = list(known)
    for key in tree:
        if key not in known:
            raise ValueError(f"Expected {', '.join(known)} of {path or 'the top'!r}, got {key!r}.{nearest(key, known)}")


def shown(value: Any) -> str:
    """Return a value of a tree for a message, cut short.

    Args:
        value: The value.

    Example:
        >>> shown(list(range(100)))
        '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1...'
    """
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""How a model keeps its constants: numbers and tensors as buffers, `nn.Parameter`s as trainable parameters."""

import torch
from torch import Tensor, nn

__all__ = ["register", "require_above", "shown"]


def register(
    module: nn.Module,
    name: str,
    value: float | Tensor,
    *,
    unit: str,
    positive: bool = False,
    not_negative: bool = False,
) -> None:
    """Keep a constant of a model on it.

    A number is kept as shape ``(1,)``, so that one value and one per neuron are the same code. An ``nn.Parameter``
    becomes trainable; one that has to be positive is kept as its logarithm, ``log_<name>``, and so stays positive
    whatever the optimizer does. That logarithm is a parameter of its own: give the optimizer
    ``neuron.parameters()``, not the parameter that was passed.

    Args:
        module: The model.
        name: Name of the constant.
        value: A number, a tensor that broadcasts to the neurons, or an ``nn.Parameter``, in any unit, such as [ms].
        unit: Its unit, for messages.
        positive: Demand that it is above 0.
        not_negative: Demand that it is not below 0.

    Raises:
        TypeError: It is no number and no real tensor.
        ValueError: It is not finite, or of the wrong sign.

    Example:
        >>> neuron = nn.Module()
        >>> register(neuron, "tau_mem", 10.0, unit="ms", positive=True)
        >>> neuron.tau_mem
        tensor([10.])
    """
    try:
        tensor = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.get_default_dtype())
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"Expected `{name}` to be a number or a tensor [{unit}], got {value!r}.") from error
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"Expected `{name}` to be a real number or tensor [{unit}], got {tensor.dtype}.")
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.get_default_dtype())
    if not tensor.is_meta:
        _check_values(tensor, name, unit, positive=positive, not_negative=not_negative)
    if tensor.requires_grad and not isinstance(value, nn.Parameter):
        raise TypeError(
            f"Expected `{name}` to be a number, a tensor without gradient, or an nn.Parameter [{unit}], got a tensor "
            "that was computed from others, whose gradient would be lost."
        )
    if not isinstance(value, nn.Parameter):
        module.register_buffer(name, tensor.detach().clone().reshape(tensor.shape or (1,)))
    elif positive:
        logarithm = tensor.detach().log().reshape(tensor.shape or (1,))
        module.register_parameter(f"log_{name}", nn.Parameter(logarithm, requires_grad=value.requires_grad))
    else:
        module.register_parameter(name, value if value.dim() else nn.Parameter(value.detach().reshape(1)))


def _check_values(tensor: Tensor, name: str, unit: str, *, positive: bool, not_negative: bool) -> None:
    if not torch.isfinite(tensor).all():
        raise ValueError(f"Expected `{name}` to be finite [{unit}], got {_show(tensor)}.")
    if positive and not (tensor > 0).all():
        raise ValueError(f"Expected `{name}` to be positive [{unit}], got {_show(tensor)}.")
    if not_negative and not (tensor >= 0).all():
        raise ValueError(f"Expected `{name}` not to be negative [{unit}], got {_show(tensor)}.")


def require_above(upper: Tensor, lower: Tensor, *, names: tuple[str, str], unit: str) -> None:
    """Raise unless one constant lies above another.

    Args:
        upper: The one that has to be larger.
        lower: The one that has to be smaller.
        names: Their names.
        unit: Their unit.

    Raises:
        ValueError: It does not, somewhere.

    Example:
        >>> require_above(torch.zeros(1), torch.ones(1), names=("v_threshold", "v_reset"), unit="mV")
        Traceback (most recent call last):
        ValueError: Expected `v_threshold` to be above `v_reset` [mV], got 0 against 1.
    """
    if not upper.is_meta and not (upper > lower).all():
        raise ValueError(
            f"Expected `{names[0]}` to be above `{names[1]}` [{unit}], got {_show(upper)} against {_show(lower)}."
        )


def _show(tensor: Tensor) -> str:
    if tensor.numel() == 1:
        return f"{tensor.item():g}"
    return f"values from {tensor.min().item():g} to {tensor.max().item():g}"


def shown(constant: Tensor) -> str:
    """Return a constant for a ``repr``: its value where it is one number, else its shape.

    Args:
        constant: Of any shape [1].

    Example:
        >>> shown(torch.tensor([0.5])), shown(torch.ones(2, 3))
        ('0.5', '<2x3>')
    """
    known = constant.numel() == 1 and not constant.is_meta
    return f"{constant.item():g}" if known else f"<{'x'.join(map(str, constant.shape))}>"

"""The battery for anything with state: a neuron, a chain of modules, a network."""

from collections.abc import Callable, Collection

from torch import Tensor, nn

from conex_nn.testing.laws import LAWS, Case

__all__ = ["check_module"]


def check_module(make: Callable[[], nn.Module], x: Tensor, *, skip: Collection[str] = ()) -> None:
    """Raise unless a module with ``initial_state``, ``step`` and ``forward`` is lawful.

    The laws are in :data:`conex_nn.testing.LAWS`, each with a line that says what it demands. They are tried on modules
    in ``eval()`` mode and in float64, so that rounding decides nothing; the module has to be deterministic there.

    Args:
        make: Makes the module; called often, each time with the same seed.
        x: An input that makes it fire, ``(time, batch, *neurons)`` with at least 4 steps, 2 samples and 2 neurons.
        skip: Names of the laws that do not hold for this module, such as ``("permutation",)`` for a layer with
            weights.

    Raises:
        AssertionError: A law fails; the message begins with its name.
        ValueError: An input that shows too little, or a name in ``skip`` that is none of a law.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> check_module(lambda: LIF(tau_mem=5.0), 3 * torch.rand(8, 2, 5))
    """
    if x.dim() < 3 or x.shape[0] < 4 or x.shape[1] < 2 or x.shape[-1] < 2:
        raise ValueError(
            "Expected `x` of shape (time, batch, *neurons) with at least 4 steps, 2 samples and 2 neurons, "
            f"got {tuple(x.shape)}."
        )
    if unknown := set(skip) - set(LAWS):
        raise ValueError(f"Expected `skip` to name laws among {sorted(LAWS)}, got {sorted(unknown)}.")
    case = Case(make, x.detach().double())
    for name, law in LAWS.items():
        if name in skip:
            continue
        try:
            law(case)
        except Exception as error:
            demand = " ".join((law.__doc__ or "").split())
            raise AssertionError(f"{name}: {demand}\n{type(error).__name__}: {error}") from error

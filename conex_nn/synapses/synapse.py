"""What every synapse is: a map from spikes to currents, linear in the spikes and in its weight."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from typing_extensions import override

from conex_nn.functional.grid import population_shape
from conex_nn.synapses.initial_weight import DrawnBy, Initialiser

__all__ = ["Synapse", "leading_axes"]


def leading_axes(tensor: Tensor, shape: torch.Size, *, name: str) -> torch.Size:
    """Return the axes of a tensor before those of a population.

    Args:
        tensor: ``(*lead, *shape)``.
        shape: Shape of the population.
        name: What to call the tensor in a message.

    Raises:
        ValueError: It does not end with that shape.

    Example:
        >>> leading_axes(torch.zeros(10, 32, 28, 28), torch.Size((28, 28)), name="spikes")
        torch.Size([10, 32])
    """
    axes = tensor.dim() - len(shape)
    if axes >= 0 and tensor.shape[axes:] == shape:
        return tensor.shape[:axes]
    ending = ", ".join(str(size) for size in shape)
    hint = ""
    if tensor.dim() and tensor.shape[-1] == shape.numel():
        hint = f" They are flat; `{name}.unflatten(-1, {tuple(shape)})` gives them that shape."
    elif len(shape) == 1:
        for count in range(2, tensor.dim() + 1):
            if tensor.shape[-count:].numel() == shape.numel():
                hint = f" `{name}.flatten({-count})` gives them that shape."
                break
    raise ValueError(f"Expected `{name}` of shape (..., {ending}), got {tuple(tensor.shape)}.{hint}")


class _Forward(nn.Module):
    """Calls the forward of a synapse, past hooks on it."""

    def __init__(self, synapse: nn.Module) -> None:
        super().__init__()
        self.synapse = synapse

    @override
    def forward(self, spikes: Tensor) -> Tensor:
        return self.synapse.forward(spikes)


def _constant(tensor: Tensor) -> Tensor:
    """Cut a tensor out of the graph; one made in inference mode is copied, since autograd cannot save it."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


class Synapse(nn.Module):
    """Base of all synapses: ``current = f(weight, spikes)``, linear in both.

    A synapse of your own sets ``weight`` and defines either ``project(spikes, weight)`` or just ``forward(spikes)``,
    for any number of leading axes. Its Hebbian product, on which every learning rule is built, follows from that.

    Attributes ``mask`` and ``weight`` may be there: a bool buffer ``mask`` of the weight's shape says which entries
    exist. Those that do not are taken for 0 and never get a gradient.

    Args:
        source_shape: Shape of the population that sends.
        target_shape: Shape of the population that receives.

    Example:
        >>> class Shift(Synapse):
        ...     def __init__(self, n):
        ...         super().__init__(n, n)
        ...         self.weight = torch.nn.Parameter(torch.ones(n))
        ...     def forward(self, spikes):
        ...         return spikes.roll(1, -1) * self.weight
        >>> shift = Shift(3)
        >>> shift.hebbian(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([5.0, 6.0, 7.0]))
        tensor([0., 6., 0.])
    """

    weight: nn.Parameter
    mask: Tensor | None
    _drawn_by = DrawnBy(None)

    def __init__(self, source_shape: int | Sequence[int], target_shape: int | Sequence[int]) -> None:
        super().__init__()
        self.source_shape = population_shape(source_shape, name="source_shape")
        self.target_shape = population_shape(target_shape, name="target_shape")
        self.register_buffer("mask", None)

    @property
    def init(self) -> Initialiser | None:
        """What the weight was filled by; None for the default."""
        return self._drawn_by.init

    @init.setter
    def init(self, init: Initialiser | None) -> None:
        self._drawn_by = DrawnBy(init)

    def project(self, spikes: Tensor, weight: Tensor) -> Tensor:
        """Return the currents that spikes cause through a weight.

        Args:
            spikes: ``(*lead, *source_shape)`` [1].
            weight: A weight to use in place of the synapse's own.

        Returns:
            Currents, ``(*lead, *target_shape)`` [nA].
        """
        if type(self).forward is Synapse.forward:
            raise TypeError(f"Expected {type(self).__name__} to define `project(spikes, weight)` or `forward(spikes)`.")
        return functional_call(_Forward(self), {"synapse.weight": weight}, (spikes,))

    @override
    def forward(self, spikes: Tensor) -> Tensor:
        """Return the currents that spikes cause.

        Args:
            spikes: ``(*lead, *source_shape)`` [1].

        Returns:
            Currents, ``(*lead, *target_shape)`` [nA].

        Raises:
            ValueError: The spikes do not end with the source's shape.
        """
        leading_axes(spikes, self.source_shape, name="spikes")
        return self.project(spikes, self.weight_in_force())

    def weight_in_force(self) -> Tensor:
        """Return the weight, 0 where the mask has no entry."""
        return self.weight if self.mask is None else torch.where(self.mask, self.weight, 0.0)

    def hebbian(self, pre: Tensor, post: Tensor) -> Tensor:
        r"""Return what every entry of the weight sees of its two sides, summed over all leading axes.

        It is :math:`\partial \langle post, f(w, pre) \rangle / \partial w`: for a dense synapse the outer product of
        ``post`` and ``pre``. It carries no gradient.

        Args:
            pre: Spikes or traces of the source, ``(*lead, *source_shape)``.
            post: Spikes or traces of the target, ``(*lead, *target_shape)``.

        Returns:
            A tensor of the weight's shape, 0 where the mask has no entry.

        Raises:
            TypeError: The synapse has no weight.
            ValueError: Shapes that do not fit.
        """
        self._check_pair(pre, post)
        with torch.inference_mode(mode=False), torch.enable_grad():
            weight = _constant(self.weight).requires_grad_()
            current = self.project(_constant(pre), weight)
            (product,) = torch.autograd.grad(current, weight, _constant(post))
        return self._masked(product)

    def backproject(self, grad: Tensor, weight: Tensor | None) -> Tensor:
        r"""Return what reaches the spikes of a gradient of the currents.

        It is :math:`\partial \langle grad, f(w, spikes) \rangle / \partial spikes`, which does not depend on the
        spikes. It carries no gradient itself.

        Args:
            grad: Gradient of the currents, ``(*lead, *target_shape)``.
            weight: The weight that they came through, as :meth:`weight_in_force` gives it.

        Returns:
            Gradient of the spikes, ``(*lead, *source_shape)``.

        Raises:
            ValueError: The gradient does not end with the target's shape.
        """
        lead = leading_axes(grad, self.target_shape, name="grad")
        with torch.inference_mode(mode=False), torch.enable_grad():
            spikes = grad.new_zeros(*lead, *self.source_shape).requires_grad_()
            current = self.project(spikes, weight if weight is None else _constant(weight))  # pyright: ignore[reportArgumentType]
            (result,) = torch.autograd.grad(current, spikes, _constant(grad))
        return result

    def _check_pair(self, pre: Tensor, post: Tensor) -> None:
        """Raise unless two tensors fit the source and the target, with the same leading axes."""
        if self.weight is None:
            raise TypeError(f"Expected a synapse with a weight to learn, got {type(self).__name__}, which has none.")
        lead = leading_axes(pre, self.source_shape, name="pre")
        if leading_axes(post, self.target_shape, name="post") != lead:
            raise ValueError(
                f"Expected `pre` and `post` with the same leading axes, got {tuple(pre.shape)} for the source "
                f"{tuple(self.source_shape)} and {tuple(post.shape)} for the target {tuple(self.target_shape)}."
            )

    def _masked(self, product: Tensor) -> Tensor:
        return product if self.mask is None else torch.where(self.mask, product, 0.0)

    @override
    def extra_repr(self) -> str:
        shapes = " -> ".join(
            str(shape[0]) if len(shape) == 1 else str(tuple(shape)) for shape in (self.source_shape, self.target_shape)
        )
        weight = getattr(self, "weight", None)
        if weight is None:
            return f"{shapes}, no weights"
        if self.mask is None or self.mask.is_meta:
            return f"{shapes}, {weight.numel()} weights"
        return f"{shapes}, {int(self.mask.sum())} of {weight.numel()} weights"

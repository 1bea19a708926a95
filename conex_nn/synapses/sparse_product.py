"""The products of a sparse synapse, over its edges alone: no dense weight and no tensor of samples times edges."""

import functools
import warnings
from typing import Any

import torch
from torch import Tensor

from conex_nn.kernels.direct import call, differentiable
from conex_nn.synapses.wiring import Wiring

__all__ = ["sparse_backproject", "sparse_hebbian", "sparse_project"]

_FEW = 8  # samples up to which following the spikes along their edges can beat the product over all edges
_SCATTER = 8  # what an edge followed costs, measured against an edge of that product
_BLOCK = 1 << 18  # elements that a gather makes at a time, to stay within a cache


@functools.cache
def _hush() -> None:
    """Spend torch's one warning that its CSR tensors are in beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor([0, 0], [], [], (1, 1), dtype=torch.float32, device="cpu", check_invariants=False)


def _has_csr(tensor: Tensor) -> bool:
    """Whether torch has products of CSR tensors there; on the CPU they are those of MKL."""
    return tensor.device.type != "cpu" or torch.backends.mkl.is_available()


def _wide(tensor: Tensor) -> Tensor:
    """Return a tensor in a precision that sums of many edges keep and that CSR products have."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _product(indptr: Tensor, index: Tensor, values: Tensor, xs: Tensor) -> Tensor:
    """Return ``y[l, row] = sum(values[e] * xs[l, index[e]])`` over the edges from ``indptr[row]`` up to the next."""
    rows, dtype = len(indptr) - 1, xs.dtype
    if not len(values) or not len(xs):
        return xs.new_zeros(len(xs), rows)
    values, xs = _wide(values), _wide(xs)
    shape = (rows, xs.shape[1])
    if _has_csr(xs):
        _hush()
        matrix = torch.sparse_csr_tensor(indptr, index, values, shape, check_invariants=False)
    else:
        row = torch.arange(rows, device=xs.device).repeat_interleave(indptr.diff())
        matrix = torch.sparse_coo_tensor(torch.stack([row, index]), values, shape, check_invariants=False)
    with torch.autocast(xs.device.type, enabled=False):  # which would take it to half precision, that CSR has not
        return (matrix @ xs.T.contiguous()).T.contiguous().to(dtype)


def _follow_spikes(spikes: Tensor, weight: Tensor, indptr: Tensor, target: Tensor, rows: int) -> Tensor | None:
    """Return the currents by the edges of those sources that fire, or None where that is slower."""
    samples = len(spikes)
    active = spikes.any(0).nonzero().flatten()
    start = indptr[active]
    count = indptr[active + 1] - start
    total = int(count.sum())
    if total * _SCATTER > len(weight):
        return None
    offset = start - count.cumsum(0) + count
    edges = torch.arange(total, device=spikes.device) + offset.repeat_interleave(count)
    sent = spikes.T[active].repeat_interleave(count, 0) * weight[edges, None]
    return sent.new_zeros(rows, samples).index_add_(0, target[edges], sent).T.contiguous()


def _project(
    spikes: Tensor,
    weight: Tensor,
    indptr: Tensor,
    source: Tensor,
    target: Tensor,
    by_target: Tensor,
    target_indptr: Tensor,
    source_by_target: Tensor,
) -> Tensor:
    if spikes.device.type == "cpu" and 0 < len(spikes) <= _FEW and spikes.dtype in (torch.float32, torch.float64):
        current = _follow_spikes(spikes, weight, indptr, target, len(target_indptr) - 1)
        if current is not None:
            return current
    return _product(target_indptr, source_by_target, weight[by_target], spikes)


def _hebbian(indptr: Tensor, source: Tensor, target: Tensor, pre: Tensor, post: Tensor) -> Tensor:
    """Return ``sum(pre[:, source[e]] * post[:, target[e]])`` for every edge e."""
    dtype = pre.dtype
    if not len(source) or not len(pre):
        return pre.new_zeros(len(source))
    pre, post = _wide(pre).T.contiguous(), _wide(post)
    shape = (len(pre), post.shape[1])
    if _has_csr(pre) and len(source) <= shape[0] * shape[1]:  # sampled_addmm drops repeated edges beyond that
        _hush()
        zeros = pre.new_zeros(len(source))
        matrix = torch.sparse_csr_tensor(indptr, target, zeros, shape, check_invariants=False)
        return torch.sparse.sampled_addmm(matrix, pre, post, beta=0.0).values().to(dtype)
    post, product = post.T.contiguous(), pre.new_empty(len(source))
    size = max(1, _BLOCK // pre.shape[1])
    for i in range(0, len(source), size):
        part = slice(i, i + size)
        product[part] = (pre[source[part]] * post[target[part]]).sum(1)
    return product.to(dtype)


_product_op = torch.library.custom_op("conex_nn::sparse_product", _product, mutates_args=())
_hebbian_op = torch.library.custom_op("conex_nn::sparse_hebbian", _hebbian, mutates_args=())
_project_op = torch.library.custom_op("conex_nn::sparse_project", _project, mutates_args=())
_PRODUCT_ON = {"cpu": _product, "cuda": _product}
_HEBBIAN_ON = {"cpu": _hebbian, "cuda": _hebbian}
_PROJECT_ON = {"cpu": _project, "cuda": _project}


@_product_op.register_fake
def _(indptr: Tensor, index: Tensor, values: Tensor, xs: Tensor) -> Tensor:
    return xs.new_empty(len(xs), len(indptr) - 1)


@_hebbian_op.register_fake
def _(indptr: Tensor, source: Tensor, target: Tensor, pre: Tensor, post: Tensor) -> Tensor:
    return pre.new_empty(len(source))


@_project_op.register_fake
def _(
    spikes: Tensor,
    weight: Tensor,
    indptr: Tensor,
    source: Tensor,
    target: Tensor,
    by_target: Tensor,
    target_indptr: Tensor,
    source_by_target: Tensor,
) -> Tensor:
    return spikes.new_empty(len(spikes), len(target_indptr) - 1)


def _setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    spikes, weight, indptr, source, target, *_ = inputs
    needs_spikes, needs_weight, *_ = ctx.needs_input_grad
    ctx.save_for_backward(spikes if needs_weight else None, weight if needs_spikes else None, indptr, source, target)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    spikes, weight, indptr, source, target = ctx.saved_tensors
    d_spikes = None if weight is None else call(_product_op, _PRODUCT_ON, indptr, target, weight, grad)
    d_weight = None if spikes is None else call(_hebbian_op, _HEBBIAN_ON, indptr, source, target, spikes, grad)
    return d_spikes, d_weight, *[None] * 6


_project_op.register_autograd(_differentiate, setup_context=_setup_context)
_apply = differentiable(_project_op, _PROJECT_ON, setup_context=_setup_context, derivative=_differentiate)


def sparse_project(spikes: Tensor, weight: Tensor, wiring: Wiring) -> Tensor:
    """Return the currents that spikes cause through a weight per edge.

    Args:
        spikes: ``(samples, sources)`` [1].
        weight: One value per edge.
        wiring: The edges.

    Returns:
        Currents, ``(samples, targets)``; they can be differentiated once.

    Example:
        >>> from conex_nn.synapses.wiring import index_edges
        >>> edges = index_edges(torch.tensor([0, 0, 2]), torch.tensor([0, 1, 0]), n_source=3, n_target=2)
        >>> sparse_project(torch.tensor([[1.0, 1.0, 1.0]]), torch.tensor([1.0, 2.0, 3.0]), edges)
        tensor([[4., 2.]])
    """
    dtype = torch.promote_types(spikes.dtype, weight.dtype)
    _, target, indptr, by_target, target_indptr, source_by_target = wiring
    inputs = (indptr, wiring.source, target, by_target, target_indptr, source_by_target)
    return _apply(spikes.to(dtype), weight.to(dtype), *inputs)


def sparse_backproject(grad: Tensor, weight: Tensor, wiring: Wiring) -> Tensor:
    """Return what reaches the spikes of a gradient of the currents.

    Args:
        grad: ``(samples, targets)``.
        weight: One value per edge.
        wiring: The edges.

    Returns:
        Gradient of the spikes, ``(samples, sources)``.

    Example:
        >>> from conex_nn.synapses.wiring import index_edges
        >>> edges = index_edges(torch.tensor([0, 0, 2]), torch.tensor([0, 1, 0]), n_source=3, n_target=2)
        >>> sparse_backproject(torch.tensor([[1.0, 10.0]]), torch.tensor([1.0, 2.0, 3.0]), edges)
        tensor([[21.,  0.,  3.]])
    """
    dtype = torch.promote_types(grad.dtype, weight.dtype)
    return call(_product_op, _PRODUCT_ON, wiring.indptr, wiring.target, weight.to(dtype), grad.to(dtype))


def sparse_hebbian(pre: Tensor, post: Tensor, wiring: Wiring) -> Tensor:
    """Return what every edge sees of its two sides, summed over the samples.

    Args:
        pre: ``(samples, sources)``.
        post: ``(samples, targets)``.
        wiring: The edges.

    Returns:
        One value per edge.

    Example:
        >>> from conex_nn.synapses.wiring import index_edges
        >>> edges = index_edges(torch.tensor([0, 0, 2]), torch.tensor([0, 1, 0]), n_source=3, n_target=2)
        >>> sparse_hebbian(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0, 100.0]]), edges)
        tensor([ 10., 100.,  30.])
    """
    dtype = torch.promote_types(pre.dtype, post.dtype)
    inputs = (wiring.indptr, wiring.source, wiring.target, pre.to(dtype), post.to(dtype))
    return call(_hebbian_op, _HEBBIAN_ON, *inputs)

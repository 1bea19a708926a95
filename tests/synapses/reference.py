"""Every kind of synapse beside the dense matrix that it stands for, written out in plain loops."""

import itertools
import math

import torch

from conex_nn.synapses import AvgPool2d, Conv2d, Dense, Lateral, Local2d, OneToOne, Sparse, masks

# An entry is (target, source, index of the weight, factor), all flat; the index is None where there is no weight.


def flat(index, shape):
    position = 0
    for i, size in zip(index, shape, strict=True):
        assert 0 <= i < size
        position = position * size + i
    return position


def inside(index, shape):
    return all(0 <= i < size for i, size in zip(index, shape, strict=True))


def grid(*shape):
    return itertools.product(*(range(size) for size in shape))


def dense_entries(synapse, allowed=lambda t, s: True):
    n_source, n_target = math.prod(synapse.source_shape), math.prod(synapse.target_shape)
    return [(t, s, t * n_source + s, 1.0) for t, s in grid(n_target, n_source) if allowed(t, s)]


def one_to_one_entries(synapse):
    return [(i, i, i, 1.0) for i in range(math.prod(synapse.source_shape))]


def sparse_entries(synapse):
    return [
        (t, s, e, 1.0) for e, (s, t) in enumerate(zip(synapse.source.tolist(), synapse.target.tolist(), strict=True))
    ]


def conv2d_entries(synapse, shared=True):
    entries = []
    (channels, *_), (height, width) = synapse.source_shape, synapse.kernel_size
    for out, y, x, channel, ky, kx in grid(*synapse.target_shape, channels, height, width):
        place = (
            channel,
            y * synapse.stride[0] + ky - synapse.padding[0],
            x * synapse.stride[1] + kx - synapse.padding[1],
        )
        if not inside(place, synapse.source_shape):
            continue
        if shared:
            index = flat((out, channel, ky, kx), (synapse.target_shape[0], channels, height, width))
        else:
            positions = synapse.target_shape[1] * synapse.target_shape[2]
            field = flat((channel, ky, kx), (channels, height, width))
            index = flat(
                (out, y * synapse.target_shape[2] + x, field),
                (synapse.target_shape[0], positions, channels * height * width),
            )
        entries.append((flat((out, y, x), synapse.target_shape), flat(place, synapse.source_shape), index, 1.0))
    return entries


def lateral_entries(synapse, centre=True):
    entries, kernel = [], tuple(synapse.weight.shape)
    middle = tuple(size // 2 for size in kernel)
    for place in grid(*synapse.source_shape):
        for offset in grid(*kernel):
            other = tuple(p + o - m for p, o, m in zip(place, offset, middle, strict=True))
            if inside(other, synapse.source_shape) and (centre or offset != middle):
                shape = synapse.source_shape
                entries.append((flat(place, shape), flat(other, shape), flat(offset, kernel), 1.0))
    return entries


def pool_entries(synapse):
    entries = []
    (_, high, wide), (channels, height, width) = synapse.source_shape, synapse.target_shape
    for channel, y, x in grid(channels, height, width):
        rows = range(y * high // height, -(-(y + 1) * high // height))
        columns = range(x * wide // width, -(-(x + 1) * wide // width))
        for row, column in itertools.product(rows, columns):
            source = flat((channel, row, column), synapse.source_shape)
            target = flat((channel, y, x), synapse.target_shape)
            entries.append((target, source, None, 1 / (len(rows) * len(columns))))
    return entries


MASK = torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 0]]).bool()
EDGES = ([3, 0, 5, 0, 3, 3, 1], [1, 2, 0, 2, 1, 0, 3])  # not sorted; 3 -> 1 and 0 -> 2 twice; sources 2, 4 have none

KINDS = {
    "Dense": (lambda: Dense(4, 3), dense_entries),
    "Dense shapes": (lambda: Dense((1, 2, 3), (2, 2)), dense_entries),
    "Dense mask": (lambda: Dense((2, 2), 3, mask=MASK), lambda s: dense_entries(s, lambda t, i: bool(MASK[t, i]))),
    "Dense no self": (
        lambda: Dense((2, 2), (2, 2), self_connections=False),
        lambda s: dense_entries(s, lambda t, i: t != i),
    ),
    "Dense near": (
        lambda: Dense((3, 4), (3, 4), mask=masks.circle(1.5) & masks.no_self()),
        lambda s: dense_entries(s, lambda t, i: 0 < (t % 4 - i % 4) ** 2 + (t // 4 - i // 4) ** 2 <= 2.25),
    ),
    "OneToOne": (lambda: OneToOne(6, (2, 3)), one_to_one_entries),
    "Sparse": (lambda: Sparse(6, (2, 2), edges=EDGES), sparse_entries),
    "Sparse density": (lambda: Sparse((5, 3), 7, density=0.3), sparse_entries),
    "Sparse empty": (lambda: Sparse(4, 3, density=0.0), sparse_entries),
    "Conv2d": (lambda: Conv2d((2, 5, 4), (3, 3, 3), kernel_size=(3, 2)), conv2d_entries),
    "Conv2d stride": (lambda: Conv2d((1, 6, 7), (2, 3, 7), kernel_size=3, stride=(2, 1), padding=1), conv2d_entries),
    "Local2d": (lambda: Local2d((2, 5, 4), (3, 3, 3), kernel_size=(3, 2)), lambda s: conv2d_entries(s, shared=False)),
    "Local2d stride": (
        lambda: Local2d((1, 6, 7), (2, 3, 7), kernel_size=3, stride=(2, 1), padding=1),
        lambda s: conv2d_entries(s, shared=False),
    ),
    "Lateral": (lambda: Lateral((2, 3, 4), (2, 3, 4), kernel_size=3), lateral_entries),
    "Lateral ring": (
        lambda: Lateral((2, 3, 4), (2, 3, 4), kernel_size=(1, 5, 3), centre=False),
        lambda s: lateral_entries(s, centre=False),
    ),
    "AvgPool2d": (lambda: AvgPool2d((2, 5, 6), (2, 2, 3)), pool_entries),
}


def matrix(entries, weight, synapse):
    """The dense matrix (n_target, n_source) of a weight; it can be differentiated."""
    dense = torch.zeros(math.prod(synapse.target_shape), math.prod(synapse.source_shape), dtype=torch.float64)
    if not entries:
        return dense if weight is None else dense + 0 * weight.sum()
    target, source, index, factor = zip(*entries, strict=True)
    values = torch.tensor(factor, dtype=torch.float64)
    if weight is not None:
        values = values * weight.flatten()[torch.tensor(index)]
    return dense.index_put((torch.tensor(target), torch.tensor(source)), values, accumulate=True)

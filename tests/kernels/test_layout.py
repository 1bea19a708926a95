"""How tensors are laid before a kernel: every neuron finds its own constants, and no chunk is missed."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.kernels.cpu.record import STRETCH
from conex_nn.kernels.layout import chunks_of, reduce_rows, stack_rows, tile_rows

CASES = [
    ((1,), (5, 3)),
    ((3,), (5, 3)),
    ((4, 3), (5, 4, 3)),
    ((4, 1), (5, 4, 3)),
    ((3001,), (2, 3001)),
    ((600,), (9, 600)),
]


@pytest.mark.parametrize(("shape", "neurons"), CASES)
def test_a_neuron_finds_its_constant_in_its_column(shape, neurons):
    constant, other = torch.rand(shape), torch.rand(1)
    total = torch.Size(neurons).numel()
    rows = stack_rows([constant, other], torch.Size(neurons))
    tiled = tile_rows(rows, total)
    period = tiled.shape[1]
    assert period % rows.shape[1] == 0
    assert tiled.is_contiguous()
    column = torch.arange(total) % period
    assert_close(tiled[0][column], constant.expand(neurons).reshape(-1))
    assert_close(tiled[1][column], other.expand(total))


@pytest.mark.parametrize("width", [1, 1999, STRETCH, STRETCH + 1, 2 * STRETCH, 5000])
@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_chunks_cover_every_neuron_once(width, repeats):
    size = 4321 if width == 1 else width  # one value serves any number of neurons

    def locate(chunk):  # as in kernels/cpu/intrinsics.py
        period = total if width == 1 else width
        row, piece = divmod(chunk, -(-period // STRETCH))
        begin = piece * STRETCH
        return row * period + begin, min(STRETCH, period - begin, total - (row * period + begin))

    for total in (size * repeats, size * repeats - size // 2):
        seen = torch.zeros(total, dtype=torch.int64)
        for chunk in range(chunks_of(torch.empty(2, width), total)):
            start, length = locate(chunk)
            seen[start : start + max(length, 0)] += 1
        assert (seen == 1).all()


def test_gradients_of_rows_are_summed_over_the_batch():
    sums = torch.arange(12.0).reshape(1, 12)
    assert reduce_rows(sums, torch.ones(1, 3)).tolist() == [[18.0, 22.0, 26.0]]
    assert reduce_rows(sums, torch.ones(1, 1)).tolist() == [[66.0]]

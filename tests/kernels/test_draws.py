"""Numbers that a kernel draws are those of the functions that say what they are."""

import pytest
import torch

from conex_nn.functional import poisson_counts, random_bits
from conex_nn.kernels import draw_numbers, draws_here, number_table

SEED, STEP = 2**45 + 11, 2**33 + 5  # of more than 32 bits


def drawn(thresholds, row, shape, sample, steps=40, dtype=torch.float32):
    out = torch.empty(steps, *sample.shape, *shape, dtype=dtype)
    table = number_table(thresholds, row, torch.Size(shape))
    draw_numbers(out, table, seed=SEED, step=STEP, sample=sample)
    return out


def expected(thresholds, row, shape, sample, steps=40):
    neuron = torch.arange(torch.Size(shape).numel()).reshape(shape)
    step = (STEP + torch.arange(steps)).reshape(-1, *[1] * (sample.dim() + len(shape)))
    bits = random_bits(torch.tensor(SEED), step, sample.reshape(*sample.shape, *[1] * len(shape)), neuron)
    return bits, poisson_counts(bits, thresholds, row)


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 1500)])
@pytest.mark.parametrize("sample", [torch.tensor(3), torch.tensor([[0, 5], [2**31, 1]])])
@pytest.mark.parametrize("rows", [1, 3])
def test_it_draws_what_the_functions_say(shape, sample, rows):
    torch.manual_seed(0)
    thresholds = torch.randint(2**32, (rows, 30)).sort(1).values
    row = torch.randint(rows, shape)
    found = drawn(thresholds, row, shape, sample)
    assert torch.equal(found.long(), expected(thresholds, row, shape, sample)[1])
    assert torch.equal(drawn(thresholds, row, shape, sample, dtype=torch.float64), found.double())


def test_bits_that_are_the_threshold_reach_it():
    sample, row = torch.tensor(0), torch.tensor([0])
    bits, _ = expected(torch.tensor([[1]]), row, (1,), sample, steps=1)
    for above, number in ((0, 1), (1, 0), (-1, 1)):
        assert drawn(bits.reshape(1, 1) + above, row, (1,), sample, steps=1).item() == number
    assert drawn(torch.tensor([[2**32]]), row, (5,), sample).sum() == 0


def test_where_it_draws():
    assert draws_here(torch.ones(1, dtype=torch.float64))
    assert not draws_here(torch.ones(1, dtype=torch.float16))
    assert not draws_here(torch.ones(1, device="meta"))

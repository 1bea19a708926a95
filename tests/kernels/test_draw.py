"""Rows of random columns, and lists by row turned by column."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.kernels.draw import by_column, draw_rows, narrow_index


def begins_of(counts):
    return torch.cat([torch.zeros(1, dtype=torch.long), torch.as_tensor(counts).cumsum(0)])


def lists(begins, entries):
    return [part.tolist() for part in entries.int().split(begins.diff().tolist())]


# few by insertion, many by their bytes, scarce ones among many columns, most of them, all of them, none
SHAPES = [(5, 40), (30, 40), (300, 70), (64, 64), (0, 9), (7, 100_000), (200, 100_000), (900, 300)]


@pytest.mark.parametrize(("size", "columns"), SHAPES)
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("repeats", [False, True])
def test_rows_ascend_and_have_what_was_asked(size, columns, skip, repeats):
    if not repeats:
        size = min(size, columns - skip)
    begins = begins_of([size, 0, min(size, 3), size])
    entries = draw_rows(begins, columns, repeats=repeats, skip_own=skip, seed=5)
    assert entries.dtype == (torch.uint16 if columns < 65_536 else torch.int32)
    for row, found in enumerate(lists(begins, entries)):
        assert found == sorted(found)
        assert repeats or len(set(found)) == len(found)
        assert all(0 <= column < columns for column in found)
        assert not skip or row not in found
    if repeats and size**2 > 20 * columns:
        assert len(set(lists(begins, entries)[0])) < size


@pytest.mark.parametrize("repeats", [False, True])
def test_the_seed_decides_and_not_the_threads(repeats):
    begins, drawn = begins_of([150] * 400), {}
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            drawn[threads] = draw_rows(begins, 1000, repeats=repeats, skip_own=False, seed=9)
    finally:
        torch.set_num_threads(before)
    for found in drawn.values():
        assert torch.equal(found.int(), drawn[1].int())
    other = draw_rows(begins, 1000, repeats=repeats, skip_own=False, seed=10)
    assert not torch.equal(other.int(), drawn[1].int())
    rows = lists(begins, drawn[1])
    assert len({tuple(row) for row in rows}) == len(rows)


@pytest.mark.parametrize(("size", "columns"), [(3, 7), (100, 130), (60, 1000), (10, 200)])
@pytest.mark.parametrize("repeats", [False, True])
def test_every_column_is_as_likely_on_its_own(size, columns, repeats):
    rows = 40_000
    entries = draw_rows(begins_of([size] * rows), columns, repeats=repeats, skip_own=False, seed=11).long()
    counts = torch.bincount(entries, minlength=columns).double()
    likely = size / columns
    spread = rows * likely * (1 if repeats else 1 - likely)
    # Chi-square with columns - 1 degrees of freedom, since the counts have a given sum. Without repetition the squares
    # of that many deviations have their full variance, so they are scaled down to it.
    chi = ((counts - rows * likely) ** 2 / spread).sum() * (1 if repeats else (columns - 1) / columns)
    assert abs(chi - (columns - 1)) < 4.5 * (2 * (columns - 1)) ** 0.5
    if repeats:
        pairs = (entries.reshape(rows, size).diff(dim=1) == 0).double().sum(1)  # repetitions: size less distinct
        distinct = columns * (1 - (1 - 1 / columns) ** size)
        assert abs(pairs.mean() - (size - distinct)) < 4.5 * pairs.std() / rows**0.5


@pytest.mark.parametrize("rows", [3, 50, 70_000])
@pytest.mark.parametrize("columns", [1, 40, 70_000])
def test_lists_by_column_are_those_of_a_stable_sort(rows, columns):
    counts = torch.randint(0, 4, (rows,))
    begins = begins_of(counts)
    entries = draw_rows(begins, columns, repeats=True, skip_own=False, seed=3)
    numbers = torch.empty(len(entries), dtype=torch.int32)
    turned, found = by_column(begins, entries, columns, numbers)
    order = torch.sort(entries.int(), stable=True).indices
    assert_close(found.int(), torch.arange(rows).repeat_interleave(counts)[order].int())
    assert_close(turned, begins_of(torch.bincount(entries.int(), minlength=columns)))
    assert found.dtype == narrow_index(rows)
    assert_close(numbers, order.int())

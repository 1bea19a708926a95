"""Input of a simulation: whole tensors, functions of time, blocks one after another."""

import pytest
import torch

from conex_nn.structure.feed import Feed

from .small_cortex import cortex
from .test_simulate import LONG, made, same


def test_input_comes_as_functions_and_blocks():
    expected = made().simulate(69, LONG)
    asked = []

    def drive(begin, end):
        asked.append((begin, end))
        return LONG[begin:end]

    blocks = [LONG[:1], LONG[1:1], LONG[1:40], LONG[40:]]
    for inputs in (
        drive,
        {"eye": drive},
        iter(blocks),
        {"eye": blocks},
        ({"eye": b} for b in blocks),
        lambda b, e: {"eye": LONG[b:e]},
    ):
        found = made().simulate(69, inputs, chunk=16)
        same(found.state, expected.state)
        assert {path: len(events) for path, events in found.events.items()} == {
            path: len(events) for path, events in expected.events.items()
        }
    assert asked[:6] == [(0, 1), (0, 16), (16, 32), (32, 48), (48, 64), (64, 69)]


def test_a_buffer_that_is_filled_anew_changes_nothing_that_is_under_way():
    expected = made(latency=3).simulate(69, LONG, chunk=2)
    buffer = torch.empty_like(LONG[:2])

    def drive(begin, end):
        return buffer[: end - begin].copy_(LONG[begin:end])

    same(made(latency=3).simulate(69, drive, chunk=2).state, expected.state)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize("block", [1, 2, 3, 7, 20])
def test_blocks_are_cut_anew(size, block):
    xs = torch.arange(20.0).unsqueeze(1).repeat(1, 6)
    given = Feed(cortex(), iter(xs.split(block)), steps=20)
    torch.testing.assert_close(given.first()["eye.sensory"], xs[:1])
    taken = [given.take(begin, min(begin + size, 20))["eye.sensory"] for begin in range(0, 20, size)]
    torch.testing.assert_close(torch.cat(taken), xs)
    assert len(taken[0]) == size

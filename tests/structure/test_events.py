"""Events are the spikes, and nothing but the spikes."""

import pytest
import torch

from conex_nn.recording import Events

SPIKES = (torch.rand(40, 2, 3, 2, 5, generator=torch.Generator().manual_seed(0)) < 0.1).float()
EVENTS = Events.of(SPIKES, axes=2, dt=0.5)


def test_there_and_back():
    assert (EVENTS.steps, EVENTS.batch, EVENTS.shape, EVENTS.train_shape) == (40, (2, 3), (2, 5), (2, 3, 2, 5))
    assert {EVENTS.time.dtype, EVENTS.sample.dtype, EVENTS.neuron.dtype} == {torch.int32}
    torch.testing.assert_close(EVENTS.dense(), SPIKES, rtol=0, atol=0)
    assert EVENTS.dense(torch.bool).dtype == torch.bool
    assert len(EVENTS) == int(SPIKES.sum())
    silent = Events.of(torch.zeros(3, 4))
    assert not len(silent)
    torch.testing.assert_close(silent.dense(), torch.zeros(3, 4))


def test_a_part_of_the_time():
    part = EVENTS.between("5 ms", "15 ms")
    torch.testing.assert_close(part.dense(), SPIKES[10:30])
    assert (part.begin, part.steps) == (10, 20)
    torch.testing.assert_close(part.between(12, 13).dense(), SPIKES[12:13])
    torch.testing.assert_close(part.between(20).dense(), SPIKES[20:30])
    torch.testing.assert_close(part.counts(3), SPIKES[10:28].sum((3, 4)).long().unflatten(0, (6, 3)).sum(1))
    torch.testing.assert_close(EVENTS.counts(), SPIKES.sum((3, 4)).long())
    for begin, end, message in (
        (5, 5, "got 5 and 5"),
        (0, 41, "both from 0 to 40 steps"),
        ("0.7 ms", None, "whole number of steps of 0.5 ms"),
        (-1, None, "0 or more steps"),
    ):
        with pytest.raises(ValueError, match=message):
            EVENTS.between(begin, end)
    with pytest.raises(ValueError, match="both from 10 to 30"):
        part.between(9, 20)
    with pytest.raises(ValueError, match="`end` in steps \\[1\\], since nobody said how long one is, got '2 ms'"):
        Events.of(SPIKES, axes=2).between(0, "2 ms")


def test_some_neurons_and_samples():
    some = EVENTS.only(torch.tensor([7, 2]))
    torch.testing.assert_close(some.dense(), SPIKES.flatten(3)[..., [7, 2]])
    assert set(some.neuron.tolist()) == {7, 2}
    torch.testing.assert_close(some.only(torch.tensor([2])).dense(), SPIKES.flatten(3)[..., [2]])
    looked = Events.of(SPIKES.flatten(3)[..., [7, 2]], shape=(2, 5), neurons=torch.tensor([7, 2]))
    torch.testing.assert_close(looked.dense(), some.dense())
    assert "of 2 neurons" in repr(looked)
    torch.testing.assert_close(EVENTS.in_sample(4).dense(), SPIKES[:, 1, 1])
    torch.testing.assert_close(EVENTS.in_sample(-1).dense(), SPIKES[:, 1, 2])
    assert EVENTS.in_sample(0).batch == ()
    with pytest.raises(ValueError, match=r"`sample` to be one of 6, from 0 to 5 \[1\], got 6"):
        EVENTS.in_sample(6)


def test_stretches_are_joined():
    pieces = [Events.of(piece, axes=2, dt=0.5) for piece in SPIKES.split(7)]
    joined = Events.joined(pieces)
    torch.testing.assert_close(joined.dense(), SPIKES)
    torch.testing.assert_close(
        Events.joined([EVENTS.between(3, 9), EVENTS.between(9, 11)]).time, EVENTS.between(3, 11).time
    )
    for other in (
        Events.of(SPIKES, axes=1, dt=0.5),
        Events.of(SPIKES, axes=2),
        Events.of(SPIKES[:, 0], axes=2, dt=0.5),
    ):
        with pytest.raises(ValueError, match="Expected events of one shape, batch and `dt`"):
            Events.joined([EVENTS, other])


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"time": torch.tensor([0.0, 1.0])}, TypeError, "`time` of events to be integers, got torch.float32"),
        ({"sample": torch.tensor([True, True])}, TypeError, "`sample` of events to be integers, got torch.bool"),
        ({"neuron": torch.tensor([0])}, ValueError, r"`neuron` of shape \(2,\), one of each event, got \(1,\)"),
        ({"neuron": torch.tensor([0, 3])}, ValueError, r"`neuron` of events from 0 to 2 \[1\], got 0 to 3"),
        ({"sample": torch.tensor([-1, 0])}, ValueError, r"`sample` of events from 0 to 0 \[1\], got -1 to 0"),
        ({"time": torch.tensor([4, 5])}, ValueError, r"`time` of events from 0 to 4 \[1\], got 4 to 5"),
        ({"begin": 2}, ValueError, r"`time` of events from 2 to 6 \[1\], got 1 to 2"),
        ({"time": torch.tensor([2, 1])}, ValueError, r"in the order of `time` \[1\], got one before another"),
    ],
)
def test_what_are_no_events(fields, error, message):
    good = {"time": torch.tensor([1, 2]), "sample": torch.tensor([0, 0]), "neuron": torch.tensor([2, 0])}
    Events(**good, steps=5, shape=(3,))
    with pytest.raises(error, match=message):
        Events(**{**good, "steps": 5, "shape": (3,), **fields})


def test_dense_spikes_are_made_where_they_are_wanted():
    events = Events.of(torch.eye(4))
    assert events.dense(torch.float64, torch.device("meta")).device.type == "meta"
    assert events.dense().device.type == "cpu"

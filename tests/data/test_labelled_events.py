"""Recordings as a sequence of pairs, and the numbers of classes that have names."""

import pytest
import torch

from conex_nn.data import LabelledEvents, RecordingsDataModule
from conex_nn.encoders.events import Events


def one(index: int) -> Events:
    t = torch.arange(1 + index)
    return Events(t % 5, t % 4, t % 2, t)


class Named(list):
    """Recordings and the names of their classes, on a sensor."""

    sensor_size = (5, 4, 2)
    classes = ("left", "right")  # in an order of their own, which is not that of the numbers


def test_recordings_are_a_sequence():
    parts = [one(index) for index in range(4)]
    offsets = torch.tensor([0, *(len(part.t) for part in parts)]).cumsum(0)
    together = Events(*(torch.cat(field) for field in zip(*(part[:4] for part in parts), strict=True)), offsets)
    data = LabelledEvents(together, torch.arange(4), sensor_size=(4, 5))
    assert [len(events.t) for events, _ in data] == [1, 2, 3, 4]
    assert (len(data[-2][0].t), int(data[-2][1])) == (3, 2)
    with pytest.raises(IndexError, match="an index below 4, the number of recordings, got -5"):
        data[-5]


def test_names_have_the_same_numbers_in_both_parts():
    train = Named((one(index), "abc"[index % 3]) for index in range(12))
    data = RecordingsDataModule(train, test=Named([(one(0), "c"), (one(1), "b")]), validation=0)
    assert data.class_names == ("a", "b", "c")
    assert data.splits().test.labels.tolist() == [2, 1]
    with pytest.raises(ValueError, match="Expected classes to be among a, b, c, got d"):
        RecordingsDataModule(train, test=Named([(one(0), "d")]))

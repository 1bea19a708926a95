"""Recordings in memory: read one by one, and by the names of their classes."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.data import LabelledEvents, RecordingsDataModule
from conex_nn.encoders.events import Events

SIZE = (10, 14)


def one(index: int) -> Events:
    t = torch.arange(4 + index % 3)
    return Events(t, t, (t + index) % 2, 100 * t)


RECORDINGS = LabelledEvents(
    Events(
        *(torch.cat([one(index)[place] for index in range(6)]) for place in range(4)),
        torch.tensor([0, 4, 9, 15, 19, 24, 30]),
    ),
    torch.arange(6) % 4,
    sensor_size=SIZE,
)


def test_recordings_are_iterated_over_and_counted_from_the_end():
    assert [int(label) for _, label in RECORDINGS] == RECORDINGS.labels.tolist()
    assert_close(RECORDINGS[-1][0].p, one(5).p)
    assert_close(RECORDINGS[-1][0].t, one(5).t)
    for index in (len(RECORDINGS), -len(RECORDINGS) - 1):
        with pytest.raises(IndexError):
            _ = RECORDINGS[index]


def test_names_mean_the_same_classes_in_training_and_test():
    named = [(one(index), "cab"[index % 3]) for index in range(18)]
    later = [(one(18), "c"), (one(19), "b")]  # without an "a"
    data = RecordingsDataModule(named, test=later, sensor_size=SIZE)
    assert data.class_names == ("a", "b", "c")
    assert data.splits().test.labels.tolist() == [2, 1]
    with pytest.raises(ValueError, match="label to be one of 'a', 'b', 'c', got 'd'"):
        RecordingsDataModule(named, test=[(one(0), "d")], sensor_size=SIZE)


def test_names_are_numbered_as_a_data_set_says():
    class Named(list):
        classes = ("c", "a", "b")
        sensor_size = (14, 10, 2)

    data = RecordingsDataModule(Named((one(index), "cab"[index % 3]) for index in range(18)), test=3)
    assert data.class_names == ("c", "a", "b")
    assert data.splits().train.dataset.labels.tolist() == [0, 1, 2] * 6


def test_the_sensor_of_recordings_that_say_none_can_be_given():
    pairs = [(one(index), index % 2) for index in range(12)]
    assert RecordingsDataModule(pairs, sensor_size=SIZE).sensor_size == SIZE
    with pytest.raises(ValueError, match="as the data set says none"):
        RecordingsDataModule(pairs)

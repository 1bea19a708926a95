"""Frames and volumes: against tonic on the same events, against loops, alone and in a batch."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders.events import Events, FramesByCount, FramesByTime, Voxels, merge_polarity

from .recordings import EMPTY, HEIGHT, WIDTH, batch, recording, structured

SIZE = (HEIGHT, WIDTH)
TONIC_SIZE = (WIDTH, HEIGHT, 2)
ENCODERS = {
    "window": FramesByTime(SIZE, window=1.0),
    "window and time": FramesByTime(SIZE, window=2.0, time=4),
    "parts of time": FramesByTime(SIZE, time=7),
    "count": FramesByCount(SIZE, count=60),
    "count and time": FramesByCount(SIZE, count=60, time=20),
    "parts of events": FramesByCount(SIZE, time=7),
    "voxels": Voxels(SIZE, time=6),
}


@pytest.fixture(scope="module")
def tonic():
    return pytest.importorskip("tonic", reason="tonic is an optional extra")


def test_frames_of_a_window_are_those_of_tonic(tonic):
    events = recording(start=700)
    theirs = tonic.functional.to_frame_numpy(structured(events), TONIC_SIZE, time_window=999, include_incomplete=True)
    ours = FramesByTime(SIZE, window=0.999)(events)
    assert ours.sum() == 500
    assert_close(ours, torch.from_numpy(theirs).float())


def test_parts_of_time_are_windows_of_tonic(tonic):
    events = recording()
    events.t[-1] = events.t[0] + 7 * 1800 - 1  # seven windows of 1800 µs
    theirs = tonic.functional.to_frame_numpy(structured(events), TONIC_SIZE, time_window=1800, include_incomplete=True)
    assert_close(FramesByTime(SIZE, time=7)(events), torch.from_numpy(theirs).float())


@pytest.mark.parametrize("count", [60, 501])
def test_frames_of_a_count_are_those_of_tonic(tonic, count):
    events = recording()
    theirs = tonic.functional.to_frame_numpy(structured(events), TONIC_SIZE, event_count=count)
    assert_close(FramesByCount(SIZE, count=count)(events), torch.from_numpy(theirs).float())


def test_parts_of_events_are_those_of_tonic(tonic):
    events = recording()
    theirs = tonic.functional.to_frame_numpy(structured(events), TONIC_SIZE, n_event_bins=10)
    assert_close(FramesByCount(SIZE, time=10)(events), torch.from_numpy(theirs).float())


def test_voxels_are_those_of_tonic(tonic):
    events = recording(start=300)
    # tonic scales to as many planes as there are, not to the last one, and leaves out what is beyond.
    theirs = tonic.functional.to_voxel_grid_numpy(structured(events), TONIC_SIZE, n_time_bins=5)
    ours = Voxels(SIZE, time=6)(events)
    assert_close(ours[:-1], torch.from_numpy(theirs).float())
    assert_close(ours.sum(), (2.0 * events.p - 1).sum())  # each event is shared out as a whole


def test_frames_that_are_not_filled_are_empty():
    events = recording(310)
    assert FramesByCount(SIZE, count=60)(events).sum((1, 2, 3)).tolist() == [60] * 5
    assert FramesByCount(SIZE, count=60, time=8)(events).sum((1, 2, 3)).tolist() == [60] * 5 + [0] * 3
    assert FramesByCount(SIZE, count=60, time=2)(events).sum((1, 2, 3)).tolist() == [60] * 2
    assert FramesByCount(SIZE, count=400, time=2)(events).sum((1, 2, 3)).tolist() == [310, 0]


def test_parts_hold_every_event():
    for n in (3, 500):
        events = recording(n)
        assert FramesByTime(SIZE, time=7)(events).sum() == n
        counts = FramesByCount(SIZE, time=7)(events).sum((1, 2, 3))
        assert counts.sum() == n
        assert counts.max() - counts.min() <= 1


def test_a_window_counts_from_the_first_event_and_ends_with_the_last():
    events = recording(4)
    events.t.copy_(torch.tensor([500, 1499, 1500, 4500]))
    frames = FramesByTime(SIZE, window=1.0)
    assert frames(events).sum((1, 2, 3)).tolist() == [2, 1, 0, 0, 1]
    assert frames.lengths(events).tolist() == [5]
    assert FramesByTime(SIZE, window=1.0, time=2)(events).sum((1, 2, 3)).tolist() == [2, 1]
    assert FramesByTime(SIZE, window=1.0, time=7)(events).sum((1, 2, 3)).tolist() == [2, 1, 0, 0, 1, 0, 0]
    assert FramesByTime(SIZE, window=0.0005)(events._replace(t=torch.arange(4))).shape[0] == 7


@pytest.mark.parametrize("name", ENCODERS)
def test_a_batch_holds_each_recording_alone(name):
    encoder = ENCODERS[name]
    recordings = [recording(500), EMPTY, recording(310, seed=1, start=10**9), recording(1, seed=2)]
    together = encoder(batch(*recordings))
    lengths = encoder.lengths(batch(*recordings)) if hasattr(encoder, "lengths") else [6] * 4
    for place, (alone, length) in enumerate(zip(recordings, lengths, strict=True)):
        frames = encoder(alone)
        assert len(frames) == length
        assert_close(together[:length, place], frames)
        assert not together[length:, place].any()


@pytest.mark.parametrize("name", ENCODERS)
def test_events_are_left_as_they_are_and_may_be_small_integers(name):
    events = recording()
    before = [field.clone() for field in events[:4]]
    frames = ENCODERS[name](events)
    assert all(torch.equal(a, b) for a, b in zip(before, events[:4], strict=True))
    small = events._replace(x=events.x.byte(), y=events.y.to(torch.int16), p=events.p.byte(), t=events.t.int())
    assert_close(ENCODERS[name](small), frames)


def test_kinds_of_counts():
    events = recording(600, longest=2)
    events.x[:300], events.y[:300], events.p[:300] = 0, 0, 1
    exact = FramesByTime(SIZE, time=1)(events)
    assert exact[0, 1, 0, 0] >= 300
    assert_close(FramesByTime(SIZE, time=1, dtype=torch.uint8)(events), exact.clamp(max=255).byte())
    assert_close(FramesByTime(SIZE, time=1, binary=True)(events), exact.clamp(max=1))
    assert_close(FramesByTime(SIZE, time=1, dtype=torch.bool)(events), exact > 0)
    assert FramesByTime(SIZE, time=1, dtype=torch.float64)(events).dtype == torch.float64
    merged = FramesByCount(SIZE, time=1, polarities=1)(merge_polarity(events))
    assert_close(merged, exact.sum(1, keepdim=True))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FramesByTime(SIZE, window=0.0), r"`window` to be positive and finite \[ms\], got 0"),
        (lambda: FramesByTime(SIZE, time=0), r"`time` to be at least 1 \[steps\], got 0"),
        (lambda: FramesByTime(SIZE), "a `window`.*a `time`.*got neither"),
        (lambda: FramesByTime(SIZE, time=2, polarities=3), "`polarities` to be 1 or 2"),
        (lambda: FramesByCount(SIZE), "a `count`.*a `time`.*got neither"),
        (lambda: FramesByCount(SIZE, count=0), "`count` to be at least 1"),
        (lambda: FramesByCount((3, 0), count=1), r"`sensor_size` to be a height and a width.*got \(3, 0\)"),
        (lambda: Voxels(SIZE, time=0), "`time` to be at least 1"),
        (lambda: Voxels((4, 4, 2), time=3), r"`sensor_size`.*got \(4, 4, 2\)"),
    ],
)
def test_unsuitable_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize(
    ("field", "place", "value", "message"),
    [
        ("x", 7, WIDTH, "`events.x` to be from 0 to 13, on a sensor of 10 x 14 pixels.*got values from 0 to 14"),
        ("y", 7, -1, "`events.y` to be from 0 to 9.*got values from -1 to 9"),
        ("p", 7, 2, "`events.p` to be from 0 to 1.*got values from 0 to 2.*`merge_polarity`"),
        ("t", 7, 0, r"order of time within a recording, got 0 \[µs\] after \d+ at event 7.*`sort_events"),
    ],
)
def test_events_out_of_the_sensor_or_out_of_order(name, field, place, value, message):
    events = recording(20)
    getattr(events, field)[place] = value
    with pytest.raises(ValueError, match=message):
        ENCODERS[name](events)


def test_a_recording_may_begin_before_the_end_of_the_last_but_not_fall():
    both = batch(recording(20, start=1000), EMPTY, recording(20))
    FramesByTime(SIZE, time=3)(both)
    both.t[21] = both.t[20] - 1
    with pytest.raises(ValueError, match="at event 21"):
        FramesByTime(SIZE, time=3)(both)


@pytest.mark.parametrize("offsets", [[0, 5], [1, 20], [0, 12, 8, 20], [0]])
def test_unsuitable_offsets(offsets):
    with pytest.raises(ValueError, match=r"`events\.offsets` to rise from 0 to the number of events, 20"):
        FramesByTime(SIZE, time=3)(recording(20)._replace(offsets=torch.tensor(offsets)))


def test_what_is_no_recording():
    events = recording(20)
    with pytest.raises(TypeError, match=r"`events\.t` to be integers, got torch\.float32"):
        FramesByTime(SIZE, time=3)(events._replace(t=events.t.float()))
    for dtype in (torch.uint16, torch.uint32, torch.uint64):  # of which torch computes little
        with pytest.raises(TypeError, match=rf"`events\.x` to be of a signed type .*got {dtype}.*torch\.int32"):
            FramesByTime(SIZE, time=3)(events._replace(x=events.x.to(dtype)))
    t = torch.tensor([5, 3, 4], dtype=torch.uint8)  # a difference of bytes is never negative
    with pytest.raises(ValueError, match=r"order of time within a recording, got 3 \[µs\] after 5 at event 1"):
        FramesByTime(SIZE, time=3)(Events(t, t, t % 2, t))
    with pytest.raises(ValueError, match=r"`events.y` of shape \(20,\).*got \(19,\)"):
        FramesByTime(SIZE, time=3)(events._replace(y=events.y[1:]))


@pytest.mark.gpu
@pytest.mark.parametrize("name", ENCODERS)
def test_frames_on_a_gpu(name):
    events = batch(recording(500), EMPTY, recording(300, seed=1))
    there = ENCODERS[name](type(events)(*(field.cuda() for field in events)))
    assert there.is_cuda
    assert_close(there.cpu(), ENCODERS[name](events))


def test_a_window_shorter_than_any_clock_is_refused():
    with pytest.raises(ValueError, match=r"`window` of at least 1e-06 \[ms\], got 1e-10"):
        FramesByTime(SIZE, window=1e-10)

"""Transforms from events to events: against tonic, against loops, alone and in a batch."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders.events import (
    Events,
    crop_time,
    denoise,
    downsample,
    drop_events,
    flip_polarity,
    from_structured,
    jitter_time,
    merge_polarity,
    shift_pixels,
    sort_events,
    split_polarity,
)

from .recordings import EMPTY, HEIGHT, WIDTH, batch, recording, structured


def same(a: Events, b: Events) -> None:
    for name in ("x", "y", "p", "t"):
        assert_close(getattr(a, name), getattr(b, name))


def part(events: Events, place: int) -> Events:
    first, last = events.bounds[place : place + 2]
    return Events(*(field[first:last] for field in events[:4]))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _reference_denoise(events, window):
    latest, kept = {}, []
    for place, (x, y, t) in enumerate(zip(events.x.tolist(), events.y.tolist(), events.t.tolist(), strict=True)):
        around = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]
        if any(t - latest.get(pixel, -(10**9)) < window for pixel in around):
            kept.append(place)
        latest[x, y] = t
    return kept


def test_denoise_is_a_loop_over_events():
    for seed in range(3):
        events = recording(seed=seed)
        kept = _reference_denoise(events, 700)
        assert 50 < len(kept) < 450
        same(denoise(events, window=0.7), Events(*(field[kept] for field in events[:4])))


def test_denoise_is_that_of_tonic():
    tonic = pytest.importorskip("tonic", reason="tonic is an optional extra")
    events = recording(start=5000)  # before that, tonic takes every pixel to have had an event at 0
    theirs = tonic.functional.denoise_numpy(structured(events), filter_time=700)
    assert 50 < len(theirs) < 450
    assert_close(denoise(events, window=0.7).t, torch.from_numpy(theirs["t"].copy()))


def test_downsample_is_that_of_tonic():
    tonic = pytest.importorskip("tonic", reason="tonic is an optional extra")
    events = recording()
    theirs = tonic.transforms.Downsample(spatial_factor=0.5)(structured(events))
    same(downsample(events, factor=2), from_structured(theirs)._replace(**_wide(theirs)))


def _wide(array):
    return {name: torch.from_numpy(array[name].astype(np.int64)) for name in ("x", "y", "p")}


TRANSFORMS = {
    "crop_time": partial(crop_time, start=1.0, stop=3.0),
    "denoise": partial(denoise, window=0.5),
    "downsample": partial(downsample, factor=3),
    "flip_polarity": flip_polarity,
    "merge_polarity": merge_polarity,
    "sort_events": sort_events,
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_batch_holds_each_recording_alone(name):
    recordings = [recording(), EMPTY, recording(300, seed=1, start=10**6), recording(1, seed=2)]
    before = batch(*recordings)
    after = TRANSFORMS[name](before)
    for place, alone in enumerate(recordings):
        same(part(after, place), TRANSFORMS[name](alone))
    same(before, batch(*recordings))  # unchanged


def test_sort():
    events = recording()
    shuffled = events._replace(t=events.t[torch.randperm(500)])
    done = sort_events(shuffled)
    assert (done.t.diff() >= 0).all()
    pairs = [sorted(zip(each.t.tolist(), each.x.tolist(), strict=True)) for each in (shuffled, done)]
    assert pairs[0] == pairs[1]


def test_crop_counts_from_the_first_event():
    events = recording(start=5000)
    inside = (events.t - events.t[0] >= 1000) & (events.t - events.t[0] < 3000)
    assert_close(crop_time(events, start=1.0, stop=3.0).t, events.t[inside])


def test_polarities():
    events = recording()
    off, on = split_polarity(events)
    assert_close(off.t, events.t[events.p == 0])
    assert_close(on.x, events.x[events.p == 1])
    assert_close(flip_polarity(events).p, 1 - events.p)
    assert_close(flip_polarity(events, probability=0.0).p, events.p)
    many = batch(*[recording(3, seed=seed) for seed in range(200)])
    flipped = (flip_polarity(many, probability=0.25, generator=generator()).p != many.p).view(200, 3)
    assert (flipped.all(1) | ~flipped.any(1)).all()  # a recording as a whole
    assert 30 < flipped[:, 0].sum() < 70


def test_time_jitter_has_its_deviation_and_keeps_the_order():
    events = recording(20000, longest=3)._replace(x=torch.arange(20000))
    jittered = jitter_time(events, std=0.25, generator=generator())
    assert (jittered.t.diff() >= 0).all()
    moved = (jittered.t[jittered.x.argsort()] - events.t).double()  # x tells which event it is
    assert abs(moved.mean()) < 6
    assert abs(moved.std() - 250) < 5
    same(jitter_time(events, std=0.0), events)
    two = batch(recording(50), recording(50, start=10**6))
    assert jitter_time(two, std=1.0).t[:50].max() < 10**5


def test_shifts_move_recordings_and_drop_what_leaves():
    many = batch(*[recording(200, seed=seed) for seed in range(30)])
    shifted = shift_pixels(many, most=2, sensor_size=(HEIGHT, WIDTH), generator=generator())
    seen = set()
    for place in range(30):
        before, after = part(many, place), part(shifted, place)
        shift = next(
            (dx, dy)
            for dx in range(-2, 3)
            for dy in range(-2, 3)
            if _moved(before, dx, dy) == list(zip(after.x.tolist(), after.y.tolist(), after.t.tolist(), strict=True))
        )
        seen.add(shift)
    assert len(seen) > 10
    assert {dx for dx, _ in seen} == {-2, -1, 0, 1, 2}


def _moved(events, dx, dy):
    every = zip(events.x.tolist(), events.y.tolist(), events.t.tolist(), strict=True)
    return [(x + dx, y + dy, t) for x, y, t in every if 0 <= x + dx < WIDTH and 0 <= y + dy < HEIGHT]


def test_randomness_is_the_generators():
    events = batch(recording(), recording(seed=1))
    for change in (
        partial(jitter_time, std=1.0),
        partial(shift_pixels, most=3, sensor_size=(HEIGHT, WIDTH)),
        partial(drop_events, probability=0.5),
        partial(flip_polarity, probability=0.5),
    ):
        same(change(events, generator=generator(3)), change(events, generator=generator(3)))


def test_dropped_events():
    events = recording(4000)
    assert 2800 < len(drop_events(events, probability=0.25, generator=generator()).t) < 3200
    assert len(drop_events(events, probability=1.0).t) == 0
    assert len(drop_events(events, probability=0.0).t) == 4000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(denoise, window=0.0), r"`window` to be positive and finite \[ms\], got 0"),
        (partial(downsample, factor=0), "`factor` to be at least 1"),
        (partial(crop_time, start=2.0, stop=2.0), r"`stop` to be beyond `start`, 2 \[ms\], got 2"),
        (partial(jitter_time, std=-1.0), r"`std` to be 0 or more \[ms\], got -1"),
        (partial(shift_pixels, most=-1, sensor_size=(4, 4)), "`most` to be 0 or more"),
        (partial(drop_events, probability=1.5), "`probability` to be from 0 to 1.*got 1.5"),
        (partial(flip_polarity, probability=-0.5), "`probability` to be from 0 to 1.*got -0.5"),
    ],
)
def test_unsuitable_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(recording(20))


def test_structured_arrays():
    events = recording()
    same(from_structured(structured(events))._replace(x=events.x, y=events.y, p=events.p), events)
    taken = from_structured(structured(events))
    assert (taken.x.dtype, taken.p.dtype, taken.t.dtype) == (torch.int16, torch.uint8, torch.int64)
    of_aedat = np.array([(7, 1, 2, True)], dtype=[("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "?")])
    assert [field.tolist() for field in from_structured(of_aedat)[:4]] == [[1], [2], [1], [7]]
    with pytest.raises(ValueError, match="the fields x, y, p and t, got x, t: no y"):
        from_structured(np.zeros(2, dtype=[("x", "i2"), ("t", "i8")]))
    with pytest.raises(TypeError, match="structured array of events, got ndarray"):
        from_structured(np.zeros(2))

"""Durations: written with a unit, in milliseconds, in steps."""

import pytest

from conex_nn.durations import in_ms, in_steps, whole_steps


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("500 ms", 500.0),
        ("1.5 s", 1500.0),
        ("100 us", 0.1),
        ("100µs", 0.1),
        (" 2min ", 120_000.0),
        ("1e3 ms", 1000.0),
        (".5 s", 500.0),
        ("0 ms", 0.0),
        (3, 3.0),
        (0.25, 0.25),
    ],
)
def test_milliseconds(written, ms):
    assert in_ms(written) == pytest.approx(ms, rel=1e-12)


@pytest.mark.parametrize("written", ["500", "500 m", "ms", "", "1,5 s", "5 ms 3 us", "5 ms!", "1.5e s", "--1 ms"])
def test_what_cannot_be_read(written):
    with pytest.raises(ValueError, match=r"`stop` as a number with its unit, one of us, ms, s and min"):
        in_ms(written, name="stop")


@pytest.mark.parametrize("duration", ["-5 ms", -5.0, float("nan"), float("inf")])
def test_durations_that_there_are_not(duration):
    with pytest.raises(ValueError, match=r"`duration` to be finite and not negative \[ms\]"):
        in_ms(duration)


@pytest.mark.parametrize("duration", [True, None, [5]])
def test_other_things(duration):
    with pytest.raises(TypeError, match=r"`duration` to be a number \[ms\], or a number with its unit"):
        in_ms(duration)


@pytest.mark.parametrize(
    ("duration", "dt", "steps"),
    [
        ("0.3 ms", 0.1, 3),  # 0.3 / 0.1 is below 3
        ("10 s", 0.1, 100_000),
        ("100 us", 0.1, 1),
        ("1 s", 1 / 3, 3000),
        ("0 ms", 0.5, 0),
        (17, 0.1, 17),
        (0, 0.1, 0),
    ],
)
def test_steps(duration, dt, steps):
    assert in_steps(duration, dt=dt) == steps


@pytest.mark.parametrize(
    ("duration", "dt", "message"),
    [
        ("0.25 ms", 0.1, r"steps of 0.1 ms \[ms\], got 0.25. The nearest are 0.2 ms and 0.3 ms."),
        ("1000000.05 ms", 0.1, r"The nearest are 1000000 ms and 1000000.1 ms."),  # half a step of many
        ("0.04 ms", 0.1, r"The nearest are 0 ms and 0.1 ms."),
        (-3, 0.1, r"0 or more steps \[1\], got -3"),
        ("1 ms", 0.0, r"`dt` to be positive \[ms\], got 0.0"),
    ],
)
def test_no_whole_number_of_steps(duration, dt, message):
    with pytest.raises(ValueError, match=message):
        in_steps(duration, dt=dt)


@pytest.mark.parametrize("duration", [500.0, True, None])
def test_steps_are_whole_numbers(duration):
    with pytest.raises(TypeError, match=r"whole number of steps \[1\], or a time with its unit, such as '500 ms'"):
        in_steps(duration, dt=1.0)


def test_at_least_one_step():
    with pytest.raises(ValueError, match=r"steps of 0.1 ms \[ms\], got 0.04. The nearest is 0.1 ms."):
        whole_steps(0.04, dt=0.1)
    with pytest.raises(ValueError, match=r"`width` to be at least 0.1 ms, 1 steps \[ms\], got 0"):
        whole_steps(0.0, dt=0.1, name="width")

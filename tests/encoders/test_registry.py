import pytest

from conex_nn.encoders import Burst, ConstantCurrent, Latency, Phase, Poisson, PoissonIntervals, RankOrder, by_name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("poisson", Poisson),
        ("Latency", Latency),
        ("constant_current", ConstantCurrent),
        ("ConstantCurrent", ConstantCurrent),
        ("burst", Burst),
        ("phase", Phase),
        ("poisson-intervals", PoissonIntervals),
    ],
)
def test_known_names(name, kind):
    encoder = by_name(name, time=9)
    assert type(encoder) is kind
    assert encoder.time == 9


def test_options_are_handed_on():
    assert isinstance(by_name("rank_order", time=9, feature_ndim=3), RankOrder)
    assert by_name("latency", time=9, threshold=0.3).threshold == 0.3
    with pytest.raises(TypeError, match="gain"):
        by_name("latency", time=9, gain=2.0)


def test_an_unknown_name_lists_the_known_and_the_nearest():
    message = (
        "Expected `name` to be one of 'burst', 'constant_current', 'latency', 'phase', 'poisson', 'poisson_intervals', "
        "'rank_order', got 'poison'. Did you mean 'poisson'?"
    )
    with pytest.raises(ValueError, match=message):
        by_name("poison", time=9)
    with pytest.raises(ValueError, match=r"got 'xyz'\.$"):
        by_name("xyz", time=9)

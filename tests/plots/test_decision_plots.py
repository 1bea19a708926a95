"""Pictures of decisions: what is drawn, where, and what is refused."""

import math

import pytest
import torch
from matplotlib.colors import to_rgb

from conex_nn.plots import areas, conditions, connectivity, psychometric, trial
from conex_nn.training import PsychometricCurve


def test_a_psychometric_curve_has_points_bars_and_a_fit():
    evidence, share, count = torch.tensor([-0.2, 0.0, 0.2]), torch.tensor([0.0, 0.5, 1.0]), torch.tensor([10, 20, 10])
    ax = psychometric(evidence, share, count=count, bias=0.05, slope=20.0, xlabel="coherence", label="network")
    curve = next(line for line in ax.lines if len(line.get_xdata()) == 200)
    x, y = torch.as_tensor(curve.get_xdata()), torch.as_tensor(curve.get_ydata())
    torch.testing.assert_close(y, torch.sigmoid(20 * (x - 0.05)))
    assert (float(x[0]), float(x[-1])) == pytest.approx((-0.22, 0.22))
    (points,) = ax.containers
    assert points[0].get_xydata().ravel().tolist() == pytest.approx([-0.2, 0, 0, 0.5, 0.2, 1])
    lows, highs = zip(*([segment[0][1], segment[1][1]] for segment in points[2][0].get_segments()), strict=True)
    assert highs[0] == pytest.approx(1 / 11)  # Wilson's interval of none of ten, at one standard error
    assert (lows[1], highs[1]) == pytest.approx((0.5 - 0.5 / 21**0.5, 0.5 + 0.5 / 21**0.5))
    assert ax.get_xlabel() == "coherence"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["network"]


def test_a_second_curve_joins_the_first_and_nan_draws_none():
    evidence, share = torch.tensor([-0.1, 0.1]), torch.tensor([0.3, 0.9])
    ax = psychometric(evidence, share, bias=0.0, slope=10.0)
    lines = len(ax.lines)
    assert psychometric(evidence, share, bias=math.nan, slope=math.nan, ax=ax) is ax
    assert len(ax.lines) == lines + 1  # the points


def test_conditions_are_means_over_their_samples():
    activity = torch.tensor([[1.0, 3.0, 10.0, 7.0], [2.0, 2.0, 20.0, 7.0]])
    ax = conditions(
        activity,
        torch.tensor([-0.1, -0.1, 0.1, math.nan]),
        dt=10.0,
        label="coherence",
        periods={"stimulus": (5.0, 15.0)},
    )
    low, high = ax.lines
    assert low.get_xydata().tolist() == [[10, 2], [20, 2]]
    assert high.get_xydata().tolist() == [[10, 10], [20, 20]]
    assert low.get_color()[2] > low.get_color()[0]  # blue for negative, red for positive
    assert high.get_color()[0] > high.get_color()[2]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((2 - 1 / 2**0.5, 2 + 1 / 2**0.5))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["-0.1", "0.1"]
    assert [text.get_text() for text in ax.texts] == ["stimulus"]


def test_connectivity_is_ordered_by_group():
    weight = torch.tensor([[0.0, -1.0, 2.0], [3.0, 0.0, 4.0], [5.0, -6.0, 0.0]])
    ax = connectivity(weight, {"exc": torch.tensor([0, 2]), "inh": torch.tensor([1])})
    shown = torch.as_tensor(ax.images[0].get_array().data)
    torch.testing.assert_close(shown, torch.tensor([[0.0, 2, -1], [5, 0, -6], [3, 4, 0]]))
    assert ax.images[0].norm.vmin == -ax.images[0].norm.vmax < 0
    assert [label.get_text() for label in ax.get_yticklabels()] == ["exc", "inh"]
    assert ax.get_xticks().tolist() == [0.5, 2]
    assert sorted({line.get_xdata()[0] for line in ax.lines}) == [0, 1.5]


def test_a_trial_shows_inputs_outputs_and_targets():
    outputs = torch.tensor([[0.0, 0.0], [0.0, math.log(3.0)]])
    upper, lower = trial(
        torch.tensor([[1.0], [2.0]]), outputs, torch.tensor([0, 1]), mask=torch.tensor([1.0, 0.0]), dt=5.0,
        output_names=["fixate", "left"],
    )  # fmt: skip
    assert upper.lines[0].get_xydata().tolist() == [[5, 1], [10, 2]]
    assert lower.lines[1].get_ydata().tolist() == pytest.approx([0.5, 0.75])
    bands = [patch for patch in lower.patches if patch.get_y() == 0.96]
    assert [patch.get_facecolor()[:3] for patch in bands] == [to_rgb(line.get_color()) for line in lower.lines]
    (shade,) = [patch for patch in lower.patches if patch.get_y() == 0]
    assert shade.get_x() == 5
    assert [text.get_text() for text in lower.get_legend().get_texts()] == ["fixate", "left"]
    of_values = trial(torch.rand(3, 1), torch.rand(3, 2), torch.rand(3, 2))[1]
    assert [line.get_linestyle() for line in of_values.lines] == ["-", "-", "--", "--"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: psychometric(torch.zeros(2), torch.zeros(3)), "`evidence`, `share` and `count` of one shape"),
        (lambda: conditions(torch.zeros(5, 2), torch.zeros(3)), "`condition` as"),
        (lambda: connectivity(torch.zeros(2, 3)), "of shape"),
        (lambda: connectivity(torch.zeros(3, 3), {"a": torch.tensor([0, 1])}), "each of 3 neurons once"),
        (lambda: trial(torch.zeros(3, 1), torch.zeros(2, 1), torch.zeros(3)), "of as many steps"),
    ],
)
def test_what_cannot_be_drawn(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_the_curve_of_a_network_that_never_chose_says_so():
    never = PsychometricCurve()
    never.update(torch.zeros(4, dtype=torch.int64), torch.tensor([-0.1, 0.1, 0.2, math.nan]))
    curve = never.compute()
    ax = psychometric(curve.evidence, curve.share, count=curve.count, bias=curve.bias, slope=curve.slope)
    assert [text.get_text() for text in ax.texts] == ["no choice was made"]
    assert ax.get_ylabel() == "share of choices [1]"


def test_connectivity_of_many_neurons_shows_some_and_says_so():
    weight = torch.randn(3000, 3000)
    ax = connectivity(weight, {"exc": torch.arange(2400), "inh": torch.arange(2400, 3000)}, max_neurons=100)
    assert ax.images[0].get_array().shape == (100, 100)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("source (100 of 3000 neurons)", "target (100 of 3000 neurons)")
    assert ax.get_xlim() == (-0.5, 2999.5)
    assert sorted({line.get_xdata()[0] for line in ax.lines}) == [0, 2399.5]
    assert ax.get_xticks().tolist() == [1199.5, 2699.5]


def test_connectivity_is_grey_where_nothing_is_and_keeps_its_colours():
    weight = torch.tensor([[math.nan, 1.0], [-1.0, math.nan]])
    image = connectivity(weight).images[0]
    assert image.get_array().mask.tolist() == [[True, False], [False, True]]
    assert image.get_clim() == (-1, 1)
    assert to_rgb(image.cmap(math.nan)[:3]) == (0.85, 0.85, 0.85)
    assert connectivity(torch.full((2, 2), math.nan)).images[0].get_array().mask.all()


def test_areas_are_blocks_with_names_and_signs():
    matrix = torch.tensor([[2.0, 0, -1], [0, math.nan, 0], [1, 0, 0]])
    ax = areas(matrix, ["v1", "pfc"], [0, 2, 3])
    image = ax.images[0]
    assert image.get_clim() == (-2, 2)
    assert image.get_array().mask.sum() == 1
    assert [label.get_text() for label in ax.get_yticklabels()] == ["v1", "pfc"]
    assert ax.get_yticks().tolist() == [0.5, 2]
    assert sorted({line.get_xdata()[0] for line in ax.lines}) == [0, 1.5]
    many = areas(torch.ones(900, 900), ["v1", "pfc"], [0, 600, 900], max_neurons=30)
    assert many.images[0].get_array().shape == (30, 30)
    assert many.get_xlabel() == "source (30 of 900 neurons)"
    with pytest.raises(ValueError, match=r"one more than 2 names, ending at the size of the matrix, \(3, 3\), got"):
        areas(matrix, ["v1", "pfc"], [0, 3])

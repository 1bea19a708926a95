"""Pictures of weights and of structure: what is drawn where."""

import subprocess
import sys
from functools import partial

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, RegularPolygon

import conex_nn as cx
from conex_nn import plots
from conex_nn.plots.palette import COLOURS, KINDS
from conex_nn.synapses import pair_weights


def test_a_weight_matrix_has_white_at_zero_and_grey_where_nothing_is():
    weight = torch.tensor([[1.0, -3.0, float("nan")], [0.5, 0.0, 2.0]])
    ax = plots.weight_matrix(weight)
    image = ax.images[0]
    assert image.get_clim() == (-3, 3)
    assert image.get_array().mask.tolist() == [[False, False, True], [False, False, False]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("source neuron", "target neuron")
    assert plots.weight_matrix(weight.abs()).images[0].get_clim() == (0, 3)
    large = plots.weight_matrix(torch.rand(3, 4000), max_neurons=100)
    assert large.images[0].get_array().shape == (3, 100)
    assert large.get_xlabel() == "source neuron (100 of 4000)"
    assert large.get_xlim() == (-0.5, 3999.5)
    assert plots.weight_matrix(torch.full((2, 2), float("nan"))).images[0].get_array().mask.all()
    with pytest.raises(ValueError, match=r"`weight` of shape \(post, pre\), got \(3,\)\. `plots.weights` draws"):
        plots.weight_matrix(torch.rand(3))


def test_weight_histograms_count_every_weight():
    before, after = torch.rand(40, 5), torch.rand(300)
    after[:20] = float("nan")
    ax = plots.weight_histogram({"before": before, "after": after}, bins=10)
    assert [patch.get_data().values.sum() for patch in ax.patches] == [200, 280]
    both = torch.cat([before.flatten(), after[20:]])
    assert ax.get_xlim() == pytest.approx((float(both.min()), float(both.max())))
    assert plots.weight_histogram(torch.ones(3)).get_legend() is None
    with pytest.raises(ValueError, match="`weight` to draw, got none that is finite"):
        plots.weight_histogram(torch.full((3,), float("nan")))


def test_weights_over_time():
    weights = torch.rand(20, 10, 30)
    ax = plots.weight_evolution(weights, time=torch.arange(20) * 5.0, most=7)
    *some, median = ax.lines
    assert len(some) == 7
    assert median.get_xdata()[-1] == 95
    assert median.get_ydata()[3] == pytest.approx(float(weights[3].flatten().quantile(0.5)))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["median", "10 to 90 % of 300", "7 of 300"]
    net = cx.Neocortex(retina=cx.InputLayer(3), v1=cx.Population(2, cx.LIF()))
    net.connect("retina", "v1", cx.Dense, rule=cx.STDP())
    (path,) = net.all_connections()
    with net.record(path, "weight", every=2) as recording:
        net(torch.ones(10, 1, 3))
    ax = plots.weight_evolution(recording, dt=0.5)
    assert ax.lines[0].get_xdata().tolist() == [0, 1, 2, 3, 4]
    assert ax.get_legend().get_texts()[2].get_text() == "all 6"
    with pytest.raises(ValueError, match="`time` of each of the 20 records, got 3"):
        plots.weight_evolution(weights, time=torch.arange(3))
    with pytest.raises(ValueError, match=r"`weights` of shape \(records, \*weight\), got \(0, 2\)"):
        plots.weight_evolution(torch.rand(0, 2))


def test_weights_over_time_without_those_that_are_not_there():
    weights = torch.rand(20, 10, 30)
    weights[:, 5:] = torch.nan
    weights[3, 0, 0] = torch.nan  # or not yet
    ax = plots.weight_evolution(weights, most=7)
    *some, median = ax.lines
    assert len(some) == 7
    assert median.get_ydata()[3] == pytest.approx(float(weights[3].nanquantile(0.5)))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["median", "10 to 90 % of 150", "7 of 150"]
    with pytest.raises(ValueError, match="`weights` to draw, got none that is finite"):
        plots.weight_evolution(weights[:, 5:])


def test_weights_over_time_of_a_large_connection():
    weights = torch.linspace(0, 1, 5000 * 4000).expand(2, -1)
    median = plots.weight_evolution(weights).lines[-1]
    assert median.get_ydata() == pytest.approx([0.5, 0.5])


def test_an_stdp_window_has_three_parts():
    lags, changes = torch.tensor([5.0, -5.0, 0.0, 10.0]), torch.tensor([3.0, -2.0, 1.0, 2.0])
    ax = plots.stdp_window(lags, changes)
    parts = {line.get_label(): line.get_xydata().tolist() for line in ax.lines[2:]}
    assert parts == {"source first": [[5, 3], [10, 2]], "same step": [[0, 1]], "target first": [[-5, -2]]}
    assert ax.get_xlim() == (-5, 10)
    with pytest.raises(ValueError, match=r"`changes` for each of `lags`, got shapes \(3,\), \(4,\)"):
        plots.stdp_window(lags, changes[:3])


def test_local_fields_are_drawn_position_by_position():
    weight = torch.rand(3, 16, 2 * 5 * 4)
    ax = plots.weights(weight, shape=(2, 5, 4), columns=8)
    drawn = torch.from_numpy(ax.images[0].get_array().filled(-1))
    assert drawn.shape == (6 * 6 - 1, 8 * 9 - 1)
    torch.testing.assert_close(drawn[:5, :4], weight[0, 0, :20].reshape(5, 4))
    torch.testing.assert_close(drawn[:5, 4:8], weight[0, 0, 20:].reshape(5, 4))
    torch.testing.assert_close(drawn[12:17, :4], weight[1, 0, :20].reshape(5, 4))
    some = plots.weights(weight, shape=(2, 5, 4), most=6)
    assert some.get_title() == "6 of 48 neurons"
    last = torch.from_numpy(some.images[0].get_array().filled(-1))[6:11, 18:22]
    torch.testing.assert_close(last, weight[2, 15, :20].reshape(5, 4))
    with pytest.raises(ValueError, match=r"`weight` of shape \(post, \*pre\), got \(4,\)"):
        plots.weights(torch.rand(4))


def test_eigenvalues_of_a_rotation():
    ax = plots.eigenvalues(torch.tensor([[0.0, -0.5, 0], [0.5, 0, 0], [0, 0, 2]]))
    inside, outside = (line for line in ax.lines if line.get_marker() in ("o", "^"))
    assert sorted(inside.get_ydata().tolist()) == pytest.approx([-0.5, 0.5])
    assert outside.get_xydata().tolist() == [[2, 0]]
    assert ax.get_title() == "spectral radius 2.00, 1 of 3 modes outside"
    (circle,) = (patch for patch in ax.patches if isinstance(patch, Circle))
    assert circle.radius == 1
    assert ax.get_xlim()[1] > 2
    for weight, message in (
        (torch.rand(2, 3), r"onto itself, \(n, n\), got shape \(2, 3\)"),
        (torch.full((2, 2), float("nan")), "`weight` to be finite"),
        (torch.rand(5, 5), r"at most `max_neurons` = 4 neurons \[1\], got 5"),
    ):
        with pytest.raises(ValueError, match=message):
            plots.eigenvalues(weight, max_neurons=4)


@pytest.mark.parametrize(
    ("make", "synapses"),
    [
        (partial(cx.Dense, 6, 4), 6),
        (partial(cx.OneToOne, 5, 5), 1),
        (partial(cx.Sparse, 6, 4, in_degree=3), 3),
        (partial(cx.Conv2d, (2, 6, 6), (3, 4, 4), kernel_size=3), 18),
        (partial(cx.Local2d, (1, 6, 6), (1, 4, 4), kernel_size=3), 9),
        (partial(cx.Lateral, (1, 5, 5), (1, 5, 5), kernel_size=(1, 3, 3), centre=False), 8),
        (partial(cx.AvgPool2d, (1, 6, 6), (1, 3, 3)), 4),
    ],
    ids=lambda value: value.func.__name__ if isinstance(value, partial) else "",
)
def test_every_kind_of_connection_is_a_picture(make, synapses):
    synapse = make()
    matrix = pair_weights(synapse)
    ax = plots.wiring(matrix, tuple(synapse.source_shape), tuple(synapse.target_shape))
    others, own = ax.collections[:2]
    total = int((~matrix.isnan()).sum())
    assert len(others.get_segments()) == min(total, 300)
    assert len(own.get_segments()) == synapses
    assert ax.get_title().endswith(f"has {synapses} synapse{'s' * (synapses != 1)}")
    marked, sources, targets, _ = ax.collections[2:]
    assert len(marked.get_offsets()) == synapses
    assert (len(sources.get_offsets()), len(targets.get_offsets())) == (matrix.shape[1], matrix.shape[0])
    assert targets.get_offsets()[:, 1].min() > sources.get_offsets()[:, 1].max()


def test_a_large_connection_is_thinned_and_says_so():
    ax = plots.wiring(torch.ones(3, 4000), target=1, max_neurons=100, max_lines=50)
    assert ax.texts[0].get_text() == "100 of 4000 sources below, 3 targets above, 50 of 12000 synapses"
    assert len(ax.collections[3].get_offsets()) == 100
    ax = plots.wiring(torch.full((2, 3), float("nan")))
    assert ax.get_title() == "target 1 has 0 synapses"
    for call, message in (
        (lambda: plots.wiring(torch.rand(3)), r"`weight` of shape \(post, pre\)"),
        (lambda: plots.wiring(torch.rand(3, 4), (2, 3)), r"`source_shape` of 4 neurons, got \(2, 3\)"),
        (lambda: plots.wiring(torch.rand(3, 4), target=3), r"`target` from 0 to 2 \[1\], got 3"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def column():
    def layer():
        made = cx.CorticalLayer(exc=cx.Population(8, cx.LIF()), inh=cx.Population(2, cx.LIF(), inhibitory=True))
        for source, target in (("exc", "inh"), ("inh", "exc"), ("inh", "inh")):
            made.connect(source, target, cx.Dense)
        return made

    v1 = cx.CorticalColumn(l5=layer(), l4=layer(), l23=layer())
    v1.connect("l4.exc", "l23.exc", cx.Dense)
    v1.connect("l4.exc", "l23.inh", cx.Dense)  # one arrow with the one before
    v1.connect("l23.exc", "l5.exc", cx.Dense)
    v1.connect("l5.exc", "l4.exc", cx.Dense, compartment="apical")
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=v1)
    net.connect("retina", "v1.l4.exc", cx.Dense)
    return net


def test_a_schematic_stacks_layers_by_depth():
    ax = plots.schematic(*cx.structure.sketch(column()))
    texts = [text.get_text() for text in ax.texts]
    boxes = dict(zip(
        [text for text in texts if not text.isdecimal() and text != "v1"],
        [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)],
        strict=True,
    ))  # fmt: skip
    assert set(boxes) == {"retina", "l5", "l4", "l23"}
    assert boxes["l5"].get_y() < boxes["l4"].get_y() < boxes["l23"].get_y()
    assert boxes["l5"].get_x() == boxes["l23"].get_x() > boxes["retina"].get_x()
    shapes = [patch for patch in ax.patches if isinstance(patch, RegularPolygon)]
    assert sum(patch.numvertices == 3 for patch in shapes) == 3
    discs = [patch for patch in ax.patches if isinstance(patch, Circle)]
    assert [to_hex(disc.get_facecolor()) for disc in discs] == [KINDS["inhibitory"].lower()] * 3
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == 3 * 3 + 4
    apical = [arrow for arrow in arrows if to_hex(arrow.get_edgecolor()) == COLOURS[1].lower()]
    assert len(apical) == 1
    assert [arrow.get_linewidth() for arrow in apical] == [2.8]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["excitatory", "inhibitory", "input", "proximal", "apical"]


def test_a_schematic_of_one_layer_is_one_box():
    ax = plots.schematic(*cx.structure.sketch(column()["v1.l4"]))
    assert sum(isinstance(patch, FancyBboxPatch) for patch in ax.patches) == 1
    assert sum(isinstance(patch, FancyArrowPatch) for patch in ax.patches) == 3
    with pytest.raises(ValueError, match="`populations` to draw, got none"):
        plots.schematic([], [])
    lost = {"source": "a", "target": "b", "compartment": "proximal", "inhibitory": False}
    with pytest.raises(ValueError, match="got `target` 'b'"):
        plots.schematic([{"address": "a", "neurons": 1, "kind": "input"}], [lost])


def test_every_picture_is_drawn_on_the_axes_that_it_is_given():
    draws = (
        lambda ax: plots.raster(torch.ones(5, 2), ax=ax),
        lambda ax: plots.traces(torch.rand(5, 2), ax=ax),
        lambda ax: plots.rates(torch.ones(5, 2), ax=ax),
        lambda ax: plots.weight_matrix(torch.rand(5, 2), ax=ax),
        lambda ax: plots.weight_histogram(torch.rand(5, 2), ax=ax),
        lambda ax: plots.eigenvalues(torch.rand(2, 2), ax=ax),
        lambda ax: plots.wiring(torch.rand(5, 2), ax=ax),
        lambda ax: plots.schematic(*cx.structure.sketch(column()), ax=ax),
    )
    for draw, ax in zip(draws, plots.side_by_side(len(draws)), strict=True):
        assert draw(ax) is ax


@pytest.mark.long
def test_without_matplotlib():
    program = (
        "import sys; sys.modules['matplotlib'] = sys.modules['matplotlib.axes'] = None\n"
        "import conex_nn as cx\ntry:\n    cx.plots\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("Expected matplotlib to be installed, which conex_nn.plots draws with: `uv pip")


def test_a_schematic_says_which_arrows_inhibit():
    net = column()
    assert "from inhibitory cells" not in _legend(plots.schematic(*cx.structure.sketch(net)))
    net.connect("v1.l23.inh", "v1.l5.exc", cx.Dense)
    assert _legend(plots.schematic(*cx.structure.sketch(net)))[-1] == "from inhibitory cells"


def _legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]

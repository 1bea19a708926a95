"""Pictures of activity: what is drawn where, and of what."""

import itertools

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.text import Text

import conex_nn as cx
from conex_nn import plots
from conex_nn.recording import (
    Recording,
    avalanches,
    branching_ratio,
    clusters,
    correlations,
    population_rate,
    power_spectrum,
    principal_components,
    record,
)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def network(**record):
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population((2, 3), cx.LIF()), v2=cx.Population(5, cx.LIF()))
    for source, target in (("retina", "v1"), ("v1", "v2")):
        net.connect(source, target, cx.Dense, init=torch.nn.init.ones_)
    xs = (torch.rand(40, 3, 4, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    return net, xs


def recorded(address, *names, **options):
    net, xs = network()
    with torch.no_grad(), net.record(address, *names, **options) as recording:
        net(xs)
    return recording


def test_a_raster_of_a_recording_has_the_spikes_of_its_sample():
    recording = recorded("v?", "spikes")
    ax = plots.raster(recording, sample=1, dt=0.5)
    for collection, name in zip(ax.collections, ("v1.spikes", "v2.spikes"), strict=True):
        assert len(collection.get_paths()) == recording[name][:, 1].count_nonzero()
    assert [text.get_text().split("\n")[0] for text in ax.get_yticklabels()] == ["v1", "v2"]
    assert ax.get_xlim() == (0, 20)
    time, _ = recording["v1.spikes"][:, 1].flatten(1).nonzero().unbind(1)
    left = [path.get_extents().x0 for path in ax.collections[0].get_paths()]
    assert left == pytest.approx((0.5 * time + 0.05).tolist())


def test_a_small_population_has_room_for_its_label():
    ax = plots.raster({"many": torch.ones(5, 100), "one": torch.ones(5, 1)})
    first, second = ax.get_yticks()
    assert second - first > 50 + 0.05 * 100
    assert ax.get_ylim()[1] - second > 0.05 * 100


@pytest.mark.parametrize("draw", [plots.raster, plots.rates, plots.spectrum, plots.return_map, plots.traces])
def test_a_batch_needs_the_sample_that_is_meant(draw):
    recording = recorded("v1", "spikes", "v")
    with pytest.raises(ValueError, match=r"one sample of 'v1', got a batch of 3\. Say which is meant: `sample=0`"):
        draw(recording)
    with pytest.raises(ValueError, match=r"`sample` to be one of 3, from 0 to 2 \[1\], got 3"):
        draw(recording, sample=3)
    assert isinstance(draw(recording, sample=2), Axes)
    if draw is not plots.traces:
        with pytest.raises(ValueError, match=r"as \(time, batch, \*neurons\), got shape \(40, 3\)"):
            draw(torch.ones(40, 3), sample=0)


@pytest.mark.parametrize(
    "draw",
    [
        plots.raster,
        plots.rates,
        plots.spectrum,
        plots.return_map,
        plots.interval_histogram,
        plots.cv_histogram,
    ],
)
def test_spikes_that_were_not_recorded(draw):
    with pytest.raises(KeyError, match=r"'spikes' to have been recorded, got 'v1.v'. Record it: `with net.record"):
        draw(recorded("v1", "v"))


def test_traces_of_a_module_by_itself_show_its_spikes():
    neuron = cx.LIF()
    with record(neuron, "", variables=("v", "spikes")) as recording:
        spikes, _ = neuron(torch.full((40, 1, 1), 3.0))
    (marks,) = plots.traces(recording).collections
    assert len(marks.get_segments()) == int(spikes.sum()) > 1


@pytest.mark.parametrize(("unit", "said"), [("nA", "0.5 nA"), ("1", "0.5")])
def test_the_bar_of_lanes_says_its_unit(unit, said):
    values = torch.tensor([[0.0, 0.0], [1.5, 1.0]])
    assert [text.get_text() for text in plots.traces(values, unit=unit).texts] == [said]


def test_traces_do_not_borrow_the_spikes_of_another_address():
    net = cx.Sequential(cx.LIF(), cx.LI())
    with record(net, "0", variables=("spikes",)) as fired:
        net(torch.full((40, 1, 1), 3.0))
    recording = Recording(["v", "0.spikes"])
    recording.append("v", torch.rand(40, 1, 1))
    recording.append("0.spikes", fired["0.spikes"])
    assert not plots.traces(recording).collections


def test_a_variable_that_was_not_recorded():
    with pytest.raises(KeyError, match=r"got the address 'v1' alone. Recorded there: 'v1\.v'\."):
        plots.traces(recorded("v1", "v"), "v1", sample=0)
    with pytest.raises(KeyError, match=r"Expected 'i' to have been recorded, got 'v1\.v'"):
        plots.traces(recorded("v1", "v"), "i", sample=0)
    with pytest.raises(KeyError, match=r"with its address, got 'v', which is 'v1\.v', 'v2\.v'"):
        plots.traces(recorded("v?", "v"), "v", sample=0)
    with pytest.raises(KeyError, match="a name that was recorded, got 'weight'"):
        plots.weight_evolution(recorded("v1", "v"))


def test_traces_with_threshold_and_spikes():
    v = torch.randn(30, 4)
    spikes = torch.zeros(30, 4)
    spikes[[3, 9], [1, 1]] = 1
    ax = plots.traces(v, spikes=spikes, threshold=torch.arange(4.0), neurons=[1], dt=2.0)
    trace, threshold = ax.lines
    torch.testing.assert_close(torch.as_tensor(trace.get_ydata()), v[:, 1])
    assert set(threshold.get_ydata()) == {1.0}
    assert [segment[0][0] for segment in ax.collections[0].get_segments()] == [6.0, 18.0]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("time [ms]", "v [mV]", "neuron 1")
    assert ax.get_xlim() == (0, 58)


def test_traces_of_several_neurons_have_a_lane_each():
    ax = plots.traces(torch.rand(30, 40), most=3, unit="nA")
    assert ax.get_title() == "3 of 40 neurons"
    assert [text.get_text() for text in ax.get_yticklabels()] == ["neuron 0", "neuron 20", "neuron 39"]
    spans = sorted((line.get_ydata().min(), line.get_ydata().max()) for line in ax.lines[:3])
    assert all(high < low for (_, high), (low, _) in itertools.pairwise(spans))
    (bar,) = (line for line in ax.lines if len(line.get_ydata()) == 2)
    length = bar.get_ydata()[1] - bar.get_ydata()[0]
    assert ax.texts[-1].get_text() == f"{length:g} nA"


def test_traces_of_a_recording_bring_their_threshold_and_spikes():
    recording = recorded("v1", "v", "spikes", "v_threshold", where=[2, 5])
    ax = plots.traces(recording, sample=1, most=2)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["neuron 2", "neuron 5"]
    drawn = sum(len(collection.get_segments()) for collection in ax.collections)
    assert drawn == recording["spikes"][:, 1].count_nonzero()
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert len(dashed) == 2
    assert isinstance(plots.traces(recorded("v1", "v", every=3), sample=0), Axes)


def test_rates_are_those_of_the_analysis():
    spikes = {"exc": (torch.rand(200, 30) < 0.1).float(), "inh": torch.zeros(200, 2, 3)}
    ax = plots.rates(spikes, dt=2.0, sigma=6.0)
    exc, inh = ax.lines
    torch.testing.assert_close(torch.as_tensor(exc.get_ydata()), population_rate(spikes["exc"], dt=2.0, sigma=6.0))
    assert not inh.get_ydata().any()
    assert exc.get_linestyle() != inh.get_linestyle()
    assert labels(ax)[1] == "inh (mean 0.0 Hz)"
    assert exc.get_xdata()[-1] == 398


def test_rates_of_every_other_step_are_rates_still():
    ax = plots.rates(recorded("v1", "spikes", every=2), sample=0, sigma=None)
    every = recorded("v1", "spikes")["spikes"][::2, 0].flatten(1).mean(1) * 1000
    torch.testing.assert_close(torch.as_tensor(ax.lines[0].get_ydata()), every)
    assert ax.lines[0].get_xdata().tolist() == list(range(0, 40, 2))


def test_histograms_of_intervals():
    spikes = torch.zeros(101, 2)
    spikes[::10, 0] = 1
    spikes[::4, 1] = 1
    ax = plots.interval_histogram(spikes, bins=100)
    (bars,) = ax.patches
    values, edges, _ = bars.get_data()
    found = {float(edges[i] + edges[i + 1]) / 2: v for i, v in enumerate(values) if v}
    assert found == {10: pytest.approx(10 / 35), 4: pytest.approx(25 / 35)}
    for bins, longest in ((10, 30.0), (50, 50.0), (7, 20.0)):
        values, edges, _ = plots.interval_histogram(spikes, bins=bins, longest=longest).patches[0].get_data()
        assert edges[0] == 0.5
        assert len(values) <= bins
        assert edges[-1] >= longest
        assert values.sum() == pytest.approx(1.0)
    ax = plots.interval_histogram({"clock": spikes, "quiet": torch.zeros(50, 3)}, longest=50.0)
    assert labels(ax) == ["clock: 35 intervals, mean 5.7 ms", "quiet: no intervals"]
    assert not ax.patches[1].get_data().values.any()
    with pytest.raises(ValueError, match=r"`bins` to be at least 1 \[1\], got 0"):
        plots.interval_histogram(spikes, bins=0)


def test_histograms_of_irregularity():
    spikes = (torch.rand(2000, 3, 20) < 0.05).float()
    spikes[:, 0, :5] = 0
    ax = plots.cv_histogram({"poisson": spikes, "quiet": torch.zeros(50, 3)})
    assert labels(ax)[0].endswith("55 of 60 trains")
    assert labels(ax)[1] == "quiet: no train of three spikes, 0 of 3 trains"
    assert ax.patches[0].get_data().values.sum() == pytest.approx(1)
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.x1
    assert plots.cv_histogram(torch.zeros(50, 3)).get_title() == "no train of three spikes, 0 of 3 trains"
    with pytest.raises(ValueError, match="`bins` to be at least 1"):
        plots.cv_histogram(spikes, bins=0)


def test_a_spectrum_is_that_of_the_population_rate():
    time = torch.arange(2000) / 1000
    spikes = (torch.rand(2000, 50) < (0.1 * (1 + torch.sin(2 * torch.pi * 40 * time)))[:, None]).float()
    ax = plots.spectrum({"exc": spikes, "quiet": 0 * spikes}, segment=500.0)
    exc, quiet = ax.lines
    peak = exc.get_xdata()[exc.get_ydata().argmax()]
    assert peak == 40
    expected = power_spectrum(population_rate(spikes), segment=500.0)
    inside = (expected.frequency > 0) & (expected.frequency <= 150)
    torch.testing.assert_close(torch.as_tensor(exc.get_ydata()), expected.power[inside])
    assert len(quiet.get_xdata()) == 0
    assert labels(ax) == ["exc", "quiet (no power)"]
    assert [text.get_text() for text in ax.texts] == ["δ", "θ", "α", "β", "γ"]
    assert (ax.get_yscale(), ax.get_xlim()) == ("log", (0, 150))
    assert not plots.spectrum(spikes, bands=False).texts
    assert plots.spectrum(0 * spikes).get_yscale() == "linear"


def test_a_return_map_pairs_successive_bins():
    spikes = torch.zeros(40, 1)
    spikes[[0, 10, 11, 20, 21, 22]] = 1
    ax = plots.return_map(spikes, width=10.0)
    assert ax.lines[0].get_xydata().tolist() == [[100, 200], [200, 300], [300, 0]]
    assert plots.return_map(spikes, width=10.0, lag=2).lines[0].get_xydata().tolist() == [[100, 300], [200, 0]]
    assert ax.get_xlim() == ax.get_ylim()
    assert labels(plots.return_map(torch.ones(500, 2), width=1.0, most=100)) == ["100 of 499 bins"]
    with pytest.raises(ValueError, match="`lag` from 1 to below the 4 bins"):
        plots.return_map(spikes, width=10.0, lag=4)


def test_trajectories_start_at_a_dot_and_end_at_a_square():
    found = principal_components(torch.rand(30, 3, 10))
    ax = plots.trajectories(found, labels=["a", "b", "c"], pair=(0, 2))
    paths = [line for line in ax.lines if len(line.get_xdata()) == 30]
    assert len(paths) == 3
    torch.testing.assert_close(torch.as_tensor(paths[1].get_xydata()).float(), found.scores[:, 1, [0, 2]])
    dot, square = ax.lines[1:3]
    assert dot.get_xydata()[0].tolist() == paths[0].get_xydata()[0].tolist()
    assert square.get_xydata()[0].tolist() == paths[0].get_xydata()[-1].tolist()
    assert ax.get_ylabel() == f"PC 3 ({100 * found.explained[2]:.0f} %)"
    many = principal_components(torch.rand(30, 20, 10))
    assert plots.trajectories(many, most=4).get_title() == "4 of 20 samples"
    with pytest.raises(ValueError, match="`labels` for 3 samples, got 1"):
        plots.trajectories(found, labels=["a"])
    with pytest.raises(ValueError, match="`pair` of components from 0 to 2"):
        plots.trajectories(found, pair=(0, 3))


def test_avalanches_are_a_density():
    sizes = torch.tensor([1.0, 1, 1, 2, 2, 5])
    spikes = torch.cat([torch.cat([torch.zeros(1), torch.full((1,), float(size))]) for size in sizes])
    found = avalanches(torch.cat([spikes, torch.zeros(1)])[:, None])
    ax = plots.avalanches(found, bins=1000)
    measured, law = ax.lines
    assert measured.get_xdata().tolist() == [1, 2, 5]
    assert measured.get_ydata()[:2].tolist() == pytest.approx([3 / 6, 2 / 6])
    assert law.get_ydata()[2] / law.get_ydata()[0] == pytest.approx(5**-1.5)
    assert (ax.get_title(), ax.get_xscale(), ax.get_yscale()) == ("6 avalanches", "log", "log")
    durations = plots.avalanches(found, "duration")
    assert durations.get_xlabel() == "duration of an avalanche [ms]"
    assert durations.lines[0].get_xdata().tolist() == [1]
    assert plots.avalanches(avalanches(torch.zeros(9, 2))).get_title() == "no avalanches"
    with pytest.raises(ValueError, match='`quantity` to be "size" or "duration", got \'width\''):
        plots.avalanches(found, "width")


def test_branching_shows_slopes_and_their_exponential():
    found = branching_ratio((torch.rand(2000, 10) < 0.1).float(), max_lag=20.0)
    ax = plots.branching(found)
    _, measured, fitted = ax.lines
    torch.testing.assert_close(torch.as_tensor(measured.get_ydata()), found.slopes)
    assert fitted.get_ydata()[0] == pytest.approx(found.strength * found.ratio)
    assert f"m = {found.ratio:.3f} per 1 ms" in ax.get_title()
    assert plots.branching(branching_ratio(torch.zeros(100, 2))).get_title() == "activity that never changes"


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda s: plots.raster(s), "3 neurons\n0.0 Hz"),
        (lambda s: plots.rates(s), "(mean 0.0 Hz)"),
        (lambda s: plots.traces(s), "neuron 2"),
        (lambda s: plots.interval_histogram(s), "no intervals"),
        (lambda s: plots.cv_histogram(s), "no train of three spikes, 0 of 3 trains"),
        (lambda s: plots.spectrum(s), "(no power)"),
        (lambda s: plots.return_map(s), "rate [Hz]"),
        (lambda s: plots.avalanches(avalanches(s)), "no avalanches"),
        (lambda s: plots.branching(branching_ratio(s, max_lag=20.0)), "activity that never changes"),
        (lambda s: plots.similarity(correlations(s).matrix), "correlation [1]"),
        (lambda s: plots.trajectories(principal_components(s.unsqueeze(1), axes=1)), "PC 1 (nan %)"),
    ],
)
def test_silence_is_drawn_and_said(draw, said):
    ax = draw(torch.zeros(100, 3))
    ax.figure.canvas.draw()  # and no warning
    texts = [text.get_text() for text in ax.figure.findobj(Text)]
    assert said in texts, texts


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda x: plots.traces(x), "5 of 2000 neurons"),
        (lambda x: plots.raster(x), "of 2000 neurons"),
        (lambda x: plots.weights(x.T, shape=(5, 8)), "100 of 2000 neurons"),
        (lambda x: plots.weight_matrix(x), "source neuron (500 of 2000)"),
        (lambda x: plots.weight_evolution(x), "of 2000"),
        (lambda x: plots.connectivity(x.T @ x, {"all": torch.arange(2000)}), "source (500 of 2000 neurons)"),
        (lambda x: plots.areas(x.T @ x, ["a"], [0, 2000]), "source (500 of 2000 neurons)"),
        (lambda x: plots.similarity(torch.eye(2000)), "neuron (500 of 2000)"),
        (lambda x: plots.wiring(x), "1000 of 2000 sources"),
    ],
)
def test_too_many_neurons_are_thinned_and_said(draw, said):
    texts = [text.get_text() for text in draw(torch.rand(40, 2000)).figure.findobj(Text)]
    assert any(said in text for text in texts), texts


def test_similar_neurons_are_beside_each_other():
    f = torch.randn(2, 100)[torch.tensor([0, 1, 0, 0])] + 0.1 * torch.randn(4, 100)
    f[1] = 0
    matrix, groups = correlations(f.T).matrix, clusters(f)
    ax = plots.similarity(matrix, groups=groups)
    image = torch.from_numpy(ax.images[0].get_array().filled(float("nan")))
    assert (image[:3, :3] > 0.9).all()
    assert image[3].isnan().all()
    assert [patch.get_width() for patch in ax.patches] == [3]
    assert ax.images[0].get_clim() == (-1, 1)
    assert plots.similarity(torch.eye(30), max_neurons=10).get_xlabel() == "neuron (10 of 30)"
    with pytest.raises(ValueError, match="`matrix` to be square"):
        plots.similarity(torch.rand(2, 3))
    with pytest.raises(ValueError, match="`groups` for 4 rows"):
        plots.similarity(matrix, groups=groups[:2])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.traces(torch.rand(9, 3), neurons=[3]), r"`neurons` from 0 to 2 \[1\], got \[3\]"),
        (lambda: plots.traces(torch.rand(9, 3), spikes=torch.rand(9, 2)), "`spikes` of the shape of the values"),
        (lambda: plots.traces(torch.rand(9, 3), threshold=torch.rand(4)), "`threshold` to be a number, one for each"),
        (lambda: plots.traces(torch.rand(9, 3), most=0), "at least 1 to be drawn"),
        (lambda: plots.rates({}), "`spikes` of at least one layer, got none"),
        (lambda: plots.raster(torch.rand(9, 3), dt=0.0), r"`dt` to be positive \[ms\], got 0.0"),
    ],
)
def test_unsuitable_data(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_traces_of_what_is_not_a_number_and_of_one_step():
    values = torch.stack([torch.rand(5), torch.full((5,), torch.nan)], 1)
    whole = plots.traces(values)
    assert torch.tensor(whole.get_ylim()).isfinite().all()
    plots.traces(torch.full((5, 2), torch.nan))
    assert len(plots.traces(torch.rand(1, 3)).lines) == 4  # and no warning


def test_traces_of_a_simulation_have_its_time():
    net = cx.Neocortex(v1=cx.Population(3, cx.LIF(), background=cx.ConstantDrive(2.0)), dt=0.5)
    run = net.simulate("20 ms", record={"v1": ["spikes", "v"]}, every="1 ms")
    ax = plots.traces(run, neurons=[1])
    assert ax.lines[0].get_xdata().tolist() == list(range(20))
    torch.testing.assert_close(torch.as_tensor(ax.lines[0].get_ydata()), run["v1.v"][:, 1])

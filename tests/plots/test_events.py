"""Pictures of events are those of the spikes, without ever making them dense."""

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

import conex_nn as cx
from conex_nn import plots
from conex_nn.recording import Events

SPIKES = (torch.rand(200, 3, 4, 50, generator=torch.Generator().manual_seed(0)) < 0.05).float()
EVENTS = Events.of(SPIKES, axes=2, dt=0.5)


def pixels(ax):
    """What is to be seen of some axes."""
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return torch.tensor(bytearray(canvas.buffer_rgba()))


@pytest.mark.parametrize(
    ("draw", "options"),
    [
        (plots.raster, {"sample": 1}),
        (plots.raster, {"sample": 1, "max_neurons": 30}),
        (plots.rates, {"sample": 2}),
        (plots.spectrum, {"sample": 0}),
        (plots.return_map, {"sample": 0}),
        (plots.interval_histogram, {}),
        (plots.cv_histogram, {}),
    ],
)
def test_they_are_the_same(draw, options):
    dense, events = draw(SPIKES, dt=0.5, **options), draw(EVENTS, **options)
    assert torch.equal(pixels(events), pixels(dense))


def test_a_part_of_the_time_keeps_its_times():
    ax = plots.raster({"a": EVENTS.in_sample(0).between("20 ms", "60 ms")})
    assert ax.get_xlim() == (20, 60)
    assert plots.rates({"a": EVENTS.in_sample(0).between("20 ms", "60 ms")}).lines[0].get_xdata()[0] == 20


def test_a_simulation_is_drawn_as_it_is():
    net = cx.Neocortex(
        retina=cx.InputLayer(4), v1=cx.Population((2, 3), cx.LIF()), v2=cx.Population(5, cx.LIF()), dt=0.5
    )
    for source, target in (("retina", "v1"), ("v1", "v2")):
        net.connect(source, target, cx.Dense, init=torch.nn.init.ones_)
    found = net.simulate(80, (torch.rand(80, 4) < 0.3).float())
    ax = plots.raster(found)
    assert [len(collection.get_paths()) for collection in ax.collections] == [len(e) for e in found.events.values()]
    assert [text.get_text().split("\n")[0] for text in ax.get_yticklabels()] == ["v1", "v2"]
    rates = [f"{name} (mean {rate:.1f} Hz)" for name, rate in found.rates().items()]
    assert [text.get_text() for text in plots.rates(found.events).get_legend().get_texts()] == rates
    with pytest.raises(ValueError, match=r"`dt` to be that of the events, 0\.5"):
        plots.raster(found, dt=1.0)
    with pytest.raises(ValueError, match="one sample of '', got a batch of 3"):
        plots.raster(EVENTS)


def test_recordings_that_keep_events():
    def recorded(**options):
        net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population((2, 3), cx.LIF()))
        net.connect("retina", "v1", cx.Dense, init=torch.nn.init.ones_)
        xs = (torch.rand(80, 4, generator=torch.Generator().manual_seed(1)) < 0.3).float()
        with torch.no_grad(), net.record("v1", "spikes", "v", **options) as recording:
            net(xs)
        return recording

    kept, dense = recorded(events=True, every=4), recorded()
    assert torch.equal(pixels(plots.raster(kept)), pixels(plots.raster(dense)))
    plots.traces(kept)
    thinned = plots.rates(recorded(every=4), sigma=None).lines[0]
    assert thinned.get_xdata().tolist() == list(range(0, 80, 4))
    torch.testing.assert_close(
        torch.as_tensor(thinned.get_ydata()).double(), 1000 * dense["spikes"][::4].flatten(1).mean(1).double()
    )


def test_neurons_that_are_chosen_have_rows_next_to_each_other():
    ax = plots.raster(torch.ones(3, 100), max_neurons=4)
    rows = {round(path.get_extents().y0) for path in ax.collections[0].get_paths()}
    assert rows == {0, 1, 2, 3}

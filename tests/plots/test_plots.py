"""Pictures: what is drawn where, and that nothing of it stays behind."""

import subprocess
import sys

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyArrowPatch

from conex_nn import plots
from conex_nn.plots import COLOURS, confusion, curves, raster, read_log, side_by_side


def test_raster_marks_every_spike_at_its_time():
    spikes = {"hidden": torch.zeros(20, 4), "output": torch.zeros(20, 3, 2)}
    spikes["hidden"][[2, 7, 7], [0, 0, 3]] = 1
    spikes["output"][9, 2, 1] = 1
    ax = raster(spikes, dt=0.5)
    hidden, output = ([path.get_extents() for path in layer.get_paths()] for layer in ax.collections)
    assert [(box.x0, box.x1) for box in hidden] == [pytest.approx(step) for step in [(1.05, 1.45), *[(3.55, 3.95)] * 2]]
    assert [box.y0 for box in hidden] == pytest.approx([0.1, 0.1, 3.1])
    (box,) = output
    assert (box.x0, box.x1) == pytest.approx((4.55, 4.95))
    assert box.y0 > 4 + 5
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "hidden\n4 neurons\n75.0 Hz",
        "output\n6 neurons\n16.7 Hz",
    ]
    assert ax.get_xlim() == (0, 10)
    assert to_hex(ax.collections[0].get_facecolor()[0]) == COLOURS[0].lower()


def test_raster_of_many_neurons_shows_some_and_says_so():
    ax = raster(torch.ones(3, 1000, dtype=torch.bfloat16), max_neurons=50)
    assert len(ax.collections[0].get_paths()) == 150
    assert ax.get_yticklabels()[0].get_text() == "50 of 1000 neurons\n1000.0 Hz"


def test_confusion_shades_shares_and_writes_counts():
    left, _ = side_by_side(2)
    ax = confusion(torch.tensor([[30, 10], [0, 0]]), class_names=["cat", "hedgehog"], ax=left)
    assert ax is left
    torch.testing.assert_close(torch.as_tensor(ax.images[0].get_array().data), torch.tensor([[0.75, 0.25], [0, 0]]))
    assert [text.get_text() for text in ax.texts] == ["30", "10"]
    assert ax.get_title() == "accuracy 75.00 %, 40 samples"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "hedgehog"]
    assert not confusion(torch.eye(30)).texts


def test_curves_skip_epochs_without_a_value():
    history = [
        {"epoch": 3, "train/loss": 2.0},
        {"epoch": 4, "train/loss": 1.0, "val/loss": 1.5, "val/accuracy": 0.5},
    ]
    ax = curves(history)
    train, val = ax.lines
    assert train.get_xydata().tolist() == [[3, 2.0], [4, 1.0]]
    assert val.get_xydata().tolist() == [[4, 1.5]]
    assert train.get_color() != val.get_color()
    assert train.get_marker() != val.get_marker()  # not by colour alone


def test_the_log_of_lightning(tmp_path):
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(tmp_path, name="", version="")
    for epoch in range(2):
        logger.log_metrics({"epoch": epoch, "val/loss": 2.0 - epoch}, step=epoch)
        logger.log_metrics({"epoch": epoch, "train/loss": 3.0 - epoch}, step=epoch)
    logger.save()
    history = read_log(tmp_path / "metrics.csv")
    assert [(row["epoch"], row["train/loss"], row["val/loss"]) for row in history] == [(0, 3, 2), (1, 2, 1)]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: raster({}), "at least one layer"),
        (lambda: raster({"a": torch.ones(3)}), r"'a' as \(time, \*neurons\), got shape \(3,\)"),
        (lambda: confusion(torch.ones(2, 3)), "`matrix` to be square"),
        (lambda: confusion(torch.ones(2, 2), class_names=["a"]), "`class_names` for 2 classes, got 1"),
        (lambda: curves([{"train/loss": 1.0}], "accuracy"), "tell of 'accuracy', got loss"),
        (lambda: curves([]), "got nothing"),
    ],
)
def test_unsuitable_data(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_a_table_that_is_no_log(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="a log with a column `epoch`"):
        read_log(tmp_path / "a.csv")


def test_pyplot_stays_out(tmp_path):
    program = (
        "import sys, torch; from conex_nn.plots import raster; "
        f"raster(torch.eye(9)).figure.savefig({str(tmp_path / 'a.png')!r}); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", program], check=False).returncode == 0
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_network_draws_every_population_and_connection():
    populations = [
        {"address": "retina.sensory", "neurons": 64, "kind": "input"},
        {"address": "v1.exc", "neurons": 100, "kind": "excitatory"},
        {"address": "v1.inh", "neurons": 25, "kind": "inhibitory"},
    ]
    connections = [
        {"source": "retina.sensory", "target": "v1.exc", "compartment": "proximal", "inhibitory": False},
        {"source": "v1.exc", "target": "v1.exc", "compartment": "apical", "inhibitory": False},
        {"source": "v1.inh", "target": "v1.exc", "compartment": "proximal", "inhibitory": True},
    ]
    ax = plots.network(populations, connections)
    dots = [patch for patch in ax.patches if isinstance(patch, Circle)]
    assert [round(dot.radius / dots[1].radius, 2) for dot in dots] == [
        0.86,
        1.0,
        0.66,
    ]  # the area grows with the neurons
    assert len(ax.patches) == 6
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["proximal", "apical", "inhibitory"]
    arrows = [patch.get_linewidth() for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert arrows == [1.4, 2.8, 1.4]  # in print without colour too, compartments differ
    assert [line.get_linewidth() for line in ax.get_legend().get_lines()][:2] == [1.4, 2.8]
    labels = " ".join(text.get_text() for text in ax.texts)
    assert all(population["address"] in labels for population in populations)


def test_network_names_what_is_missing():
    with pytest.raises(ValueError, match="Expected `populations` to draw, got none"):
        plots.network([], [])
    lost = {"source": "a", "target": "b", "compartment": "proximal", "inhibitory": False}
    with pytest.raises(ValueError, match="got `target` 'b'"):
        plots.network([{"address": "a", "neurons": 1, "kind": "input"}], [lost])


def test_confusion_of_many_classes_names_some_and_says_so():
    ax = confusion(torch.eye(100))
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert (len(names), names[0], names[-1]) == (30, "0", "99")
    assert ax.get_ylabel() == "true class (30 of 100 named)"
    assert confusion(torch.eye(30)).get_xlabel() == "predicted class"


@pytest.mark.parametrize("draw", [plots.network, plots.schematic])
def test_a_network_itself_is_not_its_sketch(draw):
    with pytest.raises(TypeError, match=r"got Linear\. Draw a network by `plots\.\w+\(\*structure\.sketch\(net\)\)`"):
        draw(torch.nn.Linear(2, 2))
    assert draw([{"address": "v1.exc", "neurons": 9, "kind": "excitatory"}]).texts

"""Learn to tell digits apart without being told: the network of Diehl and Cook (2015).

Pixels fire as Poisson trains onto excitatory cells whose weights learn by pair STDP; the cell that fires silences the
others by way of its own inhibitory cell; thresholds that rise with every spike let every cell find something to stand
for. Labels enter after learning: a cell's class is the one to which it answers most, on training images. The test part
is looked at once.

``python -m tasks.diehl_cook`` takes scikit-learn's handwritten digits, ``--data mnist`` the set of the paper.
"""

import json
import math
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger
from matplotlib.figure import Figure
from rich.progress import track
from torch import Tensor, nn

import conex_nn as cx
from tasks.command_line import parse


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to learn from, with how many cells, and for how long."""

    neurons: int | None = None
    """Excitatory cells, each with an inhibitory one; by default what the data need [1]."""
    batch_size: int = 16
    """Images that are seen at once and learned from together [1]."""
    epochs: int | None = None
    """Passes over the training part; by default what the data need [1]."""
    time: int | None = None
    """Milliseconds for which an image is shown; by default what the data need [ms]."""
    data: str = "digits"
    """Data set: digits, mnist or fashion_mnist."""
    data_root: Path = Path("data")
    """Folder of the downloaded sets."""
    labelled: int = 10_000
    """Training images, at most, that say after learning what the cells stand for [1]."""
    seed: int = 0
    """Seed of the split, the weights and everything random [1]."""
    out: Path = Path("runs/diehl_cook")
    """Folder for report.json, the pictures, the network and the log."""

    def __post_init__(self) -> None:
        for name in ("neurons", "batch_size", "epochs", "time", "labelled"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {value}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What suits a data set. Amounts are those of one image, whatever the batch."""

    neurons: int
    epochs: int
    time: int
    max_rate: float
    """Of the brightest pixels [Hz]."""
    gain: float
    """Of the connection from the pixels: few pixels have to drive a cell as well as many [1]."""
    total: float
    """What the weights onto a cell add up to, after every image [1]."""
    a_plus: float
    a_minus: float
    rise: float
    """Of the threshold, by a spike [mV]."""
    tau_threshold: float
    """Milliseconds in which a threshold falls back [ms]."""
    tau_mem: float


MNIST = Recipe(
    neurons=400, epochs=1, time=250, max_rate=128.0, gain=1.0, total=78.4, a_plus=1e-2, a_minus=1e-4, rise=0.2,
    tau_threshold=4e6, tau_mem=50.0,
)  # fmt: skip
RECIPES = {
    "digits": Recipe(
        neurons=100, epochs=10, time=100, max_rate=128.0, gain=10.0, total=6.4, a_plus=1e-2, a_minus=1e-4, rise=1.0,
        tau_threshold=5e5, tau_mem=50.0,
    ),
    "mnist": MNIST,
    "fashionmnist": MNIST,
}  # fmt: skip


def build(config: Config, recipe: Recipe, shape: tuple[int, ...]) -> cx.Neocortex:
    """Build the network.

    What a batch changes is the mean over its images, once for all of them: amounts and the rate at which thresholds
    fall grow with the batch, so that an epoch does what it does image by image.

    Args:
        config: Its size.
        recipe: Its constants.
        shape: Shape of an image, ``(channels, height, width)``.
    """
    batch, neurons = config.batch_size, config.neurons or recipe.neurons

    def cells(tau_mem: float, v_rest: float, v_reset: float, v_threshold: float, pause: float) -> cx.LIF:
        return cx.LIF(
            tau_mem=tau_mem,
            v_rest=v_rest,
            v_reset=v_reset,
            v_threshold=v_threshold,
            refractory_time=pause,
            resistance=1 / -math.expm1(-1 / tau_mem),  # a current of 1 nA for one step lifts the potential by 1 mV
        )

    share = math.sqrt(neurons / recipe.neurons)  # of more cells each fires less often: thresholds reach the same height
    threshold = cx.AdaptiveThreshold(increment=recipe.rise * share * batch, tau=recipe.tau_threshold * share / batch)
    net = cx.Neocortex(
        retina=cx.InputLayer(*shape),
        exc=cx.Population(
            neurons,
            cells(recipe.tau_mem, -65.0, -60.0, -52.0, pause=5.0),
            winners=cx.KWinners(1),
            behaviors={"threshold": threshold},
        ),
        inh=cx.Population(
            neurons,
            cells(10.0, -60.0, -45.0, -40.0, pause=2.0),
            inhibitory=True,
        ),
    )
    rule = cx.plasticity.chain(
        cx.STDP(a_plus=recipe.a_plus * batch, a_minus=recipe.a_minus * batch, nearest=True),
        cx.plasticity.Clip(0.0, 1.0),
        cx.plasticity.Normalise(recipe.total, at="sequence"),
    )
    dim = partial(nn.init.uniform_, a=0.0, b=0.3)
    net.connect("retina", "exc", cx.Dense, init=dim, latency=0, gain=recipe.gain, rule=rule, when="step", name="fields")
    net.connect("exc", "inh", cx.OneToOne, init=partial(nn.init.constant_, val=22.5), gradient=False)
    net.connect(
        "inh", "exc", cx.Dense, init=partial(nn.init.constant_, val=120.0), self_connections=False, gradient=False
    )
    return net


@torch.no_grad()
def label(model: cx.training.SpikingClassifier, data: cx.data.ImageDataModule, most: int) -> Tensor:
    """Let the cells stand for the classes to which they answer, now that they have learned.

    Args:
        model: The trained model.
        data: Whose training part tells.
        most: Number of images to show [1].

    Returns:
        The class of each cell, -1 for one that never fired.
    """
    labels = model.assignment.clone()
    labels.reset()
    model.eval()
    data.setup("fit")
    loader, seen = data.train_dataloader(), 0
    for batch in track(loader, "Labels", total=min(len(loader), math.ceil(most / data.batch_size))):
        x, classes = data.on_after_batch_transfer(batch, 0)
        labels.update(model.decode(model.outputs(x)), classes)
        seen += len(classes)
        if seen >= most:
            break
    model.assignment.take_over(labels)
    return model.assignment.compute()


def mosaic(weight: Tensor, labels: Tensor, shape: tuple[int, ...]) -> Figure:
    """Draw what each cell waits for, sorted by the class that it stands for.

    Args:
        weight: ``(cells, pixels)`` [1].
        labels: The class of each cell.
        shape: Shape of an image, ``(channels, height, width)``.
    """
    _, height, width = shape
    order = labels.argsort(stable=True)
    columns = math.ceil(math.sqrt(len(order)))
    rows = math.ceil(len(order) / columns)
    board = torch.full((rows * columns, height + 1, width + 1), float("nan"))
    fields = weight.detach()[order].reshape(len(order), *shape).mean(1)
    board[: len(order), :height, :width] = fields / fields.amax((1, 2), keepdim=True).clamp(min=1e-6)
    picture = board.view(rows, columns, height + 1, width + 1).transpose(1, 2).reshape(rows * (height + 1), -1)
    figure = Figure(figsize=(0.5 * columns + 0.2, 0.5 * rows + 0.6), layout="constrained")
    ax = figure.subplots()
    ax.imshow(picture.numpy(), cmap="inferno", vmin=0, vmax=1)
    for place, name in enumerate(labels[order].tolist()):
        at = (place % columns * (width + 1), place // columns * (height + 1))
        ax.text(*at, "-" if name < 0 else name, color="cyan", fontsize=6, ha="left", va="top")
    ax.set_axis_off()
    ax.set_title(f"what {len(order)} cells stand for")
    return figure


def main(config: Config) -> dict[str, float]:
    """Learn, label, test once, and report."""
    cx.training.quiet()
    L.seed_everything(config.seed, verbose=False)
    recipe = RECIPES.get(config.data.lower().replace("_", "").replace("-", ""), MNIST)
    encoder = cx.encoders.Poisson(time=config.time or recipe.time, max_rate=recipe.max_rate)
    data = cx.data.by_name(
        config.data, root=config.data_root, encoder=encoder, batch_size=config.batch_size, seed=config.seed
    )
    net = build(config, recipe, data.feature_shape)
    model = cx.training.SpikingClassifier(
        net,
        num_classes=data.num_classes,
        readout="exc",
        decode=cx.training.spike_count,
        assignment=cx.training.LabelAssignment(data.num_classes, proportional=True),
    )
    epochs = config.epochs or recipe.epochs
    report = cx.training.Report(config.out, config={**asdict(config), "recipe": asdict(recipe)})
    trainer = L.Trainer(
        max_epochs=epochs,
        logger=CSVLogger(config.out, name="", version=""),
        callbacks=[report],
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        check_val_every_n_epoch=epochs + 1,  # cells have labels when all is learned
        accelerator="cpu",
        log_every_n_steps=100,
    )
    clock = time.perf_counter()
    trainer.fit(model, datamodule=data)
    learned = time.perf_counter()
    labels = label(model, data, config.labelled)
    labelled = time.perf_counter()
    validation = trainer.validate(model, datamodule=data, verbose=False)[0]
    trainer.test(model, datamodule=data, verbose=False)
    metrics = {**validation, **{key: float(value) for key, value in trainer.callback_metrics.items()}}
    file = config.out / "report.json"
    found = json.loads(file.read_text())
    found["validation_accuracy"] = validation["val/accuracy"]
    found["cells_per_class"] = labels[labels >= 0].bincount(minlength=data.num_classes).tolist()
    found["silent_cells"] = int((labels < 0).sum())
    found["seconds"] = time.perf_counter() - clock
    found["seconds_of"] = {"learning": learned - clock, "labels": labelled - learned}
    file.write_text(json.dumps(found, indent=2))
    fields: Any = net.connections["fields"]
    mosaic(fields.only.synapse.weight, labels, data.feature_shape).savefig(config.out / "fields.png", dpi=150)
    net.save(config.out / "network")
    return metrics


if __name__ == "__main__":
    main(parse(Config))

"""Train a spiking network on images, by gradient, by local rules, or by both, and report how well it does.

``python -m tasks.classify`` takes scikit-learn's handwritten digits; ``--data mnist`` and ``--data fashion_mnist`` the
larger sets. ``--learning`` says how weights learn:

- ``surrogate``: by surrogate gradients.
- ``stdp``: one layer of competing neurons, by STDP without labels; afterwards each neuron gets the class to which it
  answered most in training.
- ``rstdp``: the same layer, each of whose neurons votes for a class of its own; STDP is turned round where the vote was
  wrong. Nothing but that reward says what is right.
- ``hybrid``: as ``surrogate``, and the first layer by STDP as well, at the same time.

The epoch is chosen on the validation part; the test part is looked at once.
"""

import json
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.profilers import SimpleProfiler
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from typing_extensions import override

import conex_nn as cx
from tasks.command_line import parse


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to train, on what, and for how long."""

    data: str = "digits"
    """Data set: digits, mnist or fashion_mnist."""
    learning: Literal["surrogate", "stdp", "rstdp", "hybrid"] = "surrogate"
    """How weights learn: by gradient, by STDP alone, by reward, or the first layer by STDP and gradient."""
    model: Literal["mlp", "conv"] = "mlp"
    """Two hidden layers, or two convolutions and one hidden layer, where gradients train them; else there is one."""
    epochs: int | None = None
    """Passes over the training part; by default what the data and the model need [1]."""
    time: int | None = None
    """Steps for which an image is shown; by default what the data need [1]."""
    hidden: int | None = None
    """Neurons of a hidden layer; by default what the data need [1]."""
    encoder: str = "constant_current"
    """How an image becomes a sequence: constant_current, poisson or latency."""
    batch_size: int | None = None
    """Images of a batch [1]."""
    lr: float | None = None
    """Largest learning rate of the one-cycle schedule; without gradients, change by a pair of spikes [1]."""
    augment: bool | None = None
    """Change training images a little: turn, shift and scale digits, mirror clothes; by default with gradients."""
    data_root: Path = Path("data")
    """Folder of the downloaded sets."""
    precision: Literal["32-true", "bf16-mixed", "64-true"] = "32-true"
    """Arithmetic, as Lightning names it."""
    resume: Path | None = None
    """Checkpoint to go on from."""
    seed: int = 0
    """Seed of the split, the weights and everything random [1]."""
    out: Path = Path("runs/classify")
    """Folder for report.json, the pictures, the log and the checkpoints."""

    def __post_init__(self) -> None:
        for name in ("epochs", "time", "hidden", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {value}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What suits a data set and a model."""

    epochs: int
    time: int
    hidden: int
    batch_size: int
    lr: float
    channels: int = 16
    kernel: int = 5  # of the second convolution
    dropout: float = 0.2


RECIPES = {
    ("digits", "mlp"): Recipe(epochs=60, time=10, hidden=512, batch_size=32, lr=2e-3),
    ("digits", "conv"): Recipe(epochs=30, time=6, hidden=128, batch_size=32, lr=3e-3),
    ("mnist", "mlp"): Recipe(epochs=15, time=6, hidden=800, batch_size=128, lr=2e-3, dropout=0.1),
    ("mnist", "conv"): Recipe(epochs=8, time=3, hidden=256, batch_size=128, lr=3e-3, channels=32, kernel=4),
    ("fashionmnist", "mlp"): Recipe(epochs=20, time=6, hidden=800, batch_size=128, lr=2e-3),
    ("fashionmnist", "conv"): Recipe(epochs=11, time=4, hidden=256, batch_size=128, lr=3e-3, channels=32, dropout=0.3),
    ("digits", "hybrid"): Recipe(epochs=40, time=10, hidden=512, batch_size=32, lr=2e-3),
    ("digits", "stdp"): Recipe(epochs=10, time=20, hidden=300, batch_size=16, lr=0.05),
    ("digits", "rstdp"): Recipe(epochs=15, time=20, hidden=300, batch_size=16, lr=0.05),
    ("mnist", "stdp"): Recipe(epochs=1, time=20, hidden=400, batch_size=32, lr=0.1),
    ("mnist", "rstdp"): Recipe(epochs=2, time=20, hidden=400, batch_size=32, lr=0.1),
}


STRENGTH = 1e-5
"""Change by a pair of spikes where STDP is a part of the gradient [1]."""


def lif() -> cx.LIF:
    """Return the neurons of these networks: quick ones, driven hard enough to fire from the start."""
    return cx.LIF(tau_mem=2.0, resistance=2.0, spike_fn=cx.surrogate.atan(alpha=2.0))


def build(model: str, recipe: Recipe, shape: tuple[int, ...], classes: int) -> cx.Sequential:
    """Build the network.

    Args:
        model: ``"mlp"`` or ``"conv"``.
        recipe: Its sizes.
        shape: Shape of an image, ``(channels, height, width)``.
        classes: Number of classes [1].
    """
    h, drop = recipe.hidden, partial(cx.SequenceDropout, recipe.dropout)
    if model == "mlp":
        front = {
            "flatten": nn.Flatten(), "weights1": nn.Linear(math.prod(shape), h), "layer1": lif(), "drop1": drop(),
            "weights2": nn.Linear(h, h), "layer2": lif(), "drop2": drop(),
        }  # fmt: skip
    else:
        c, k, (channels, *sides) = recipe.channels, recipe.kernel, shape
        pad = (k - 1) // 2
        places = math.prod((side // 2 + 2 * pad - k) // 2 + 1 for side in sides)
        front = {
            "conv1": nn.Conv2d(channels, c, 5, padding=2), "norm1": nn.BatchNorm2d(c), "pool1": nn.MaxPool2d(2),
            "layer1": lif(),
            "conv2": nn.Conv2d(c, 2 * c, k, padding=pad, stride=2), "norm2": nn.BatchNorm2d(2 * c), "layer2": lif(),
            "flatten": nn.Flatten(), "drop2": drop(),
            "weights3": nn.Linear(2 * c * places, h), "layer3": lif(), "drop3": drop(),
        }  # fmt: skip
    return cx.Sequential(OrderedDict(**front, readout=nn.Linear(h, classes), membrane=cx.LI(tau_mem=2.0)))


class FirstTakesAll(cx.neurons.Behavior):
    """Who fires first in a sequence silences all others until its end."""

    @override
    def initial_state(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x, dtype=torch.bool)

    @override
    def membrane(self, v: Tensor, state: Tensor, neuron: Any, *, dt: float) -> tuple[Tensor, Tensor]:
        return torch.where(state, neuron.v_reset, v), state

    @override
    def spikes(self, spikes: Tensor, state: Tensor, neuron: Any, *, dt: float) -> tuple[Tensor, Tensor]:
        return spikes, state | (spikes.any(-1, keepdim=True) & (spikes == 0))


class Cells(nn.Module):
    """Neurons that compete, as a link of a chain: the first to fire wins, and has it harder the next time.

    Args:
        n: Number of neurons [1].
        time: Steps of a sequence [1].
        total: Sum of the weights of a neuron, which its input resistance makes up for [1].
    """

    def __init__(self, n: int, *, time: int, total: float) -> None:
        super().__init__()
        rise = 0.1
        # Where all win equally often, the rise and fall of thresholds meet at half of what the input can charge.
        tired = cx.neurons.AdaptiveThreshold(increment=rise, tau=0.1 / rise * n * time)
        self.population = cx.Population(
            n,
            cx.LIF(tau_mem=20.0, resistance=1 / total, v_threshold=0.2),
            winners=cx.KWinners(1),
            behaviors=[FirstTakesAll(), tired],
        )

    def initial_state(self, x: Tensor) -> Any:
        """Return the state of the population."""
        return self.population.initial_state(x, ["proximal"])

    def step(self, x: Tensor, state: Any, *, dt: float = 1.0) -> tuple[Tensor, Any]:
        """Advance by one step."""
        return self.population.step({"proximal": x}, state, dt=dt)

    @override
    def forward(self, xs: Tensor, state: Any = None, *, dt: float = 1.0) -> tuple[Tensor, Any]:
        return self.population({"proximal": xs}, state, dt=dt)


class OnOff(nn.Module):
    """Give an encoder an image and its negative, as channels: cells that like light, and cells that like the dark."""

    def __init__(self, encoder: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.encoder = encoder

    @override
    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(torch.cat([x, 1 - x], -3))


def competing(recipe: Recipe, shape: tuple[int, ...], *, modulator: str | None) -> cx.Sequential:
    """Build the network that learns by rules alone: one layer of neurons of which one wins each image.

    Args:
        recipe: Its sizes.
        shape: Shape of an image, ``(channels, height, width)``.
        modulator: Name of what turns STDP into learning; None for STDP alone.
    """
    inputs = 2 * math.prod(shape)
    total = inputs / 4  # half of the input is on: a weight is 1/4 in the mean
    weights = nn.Linear(inputs, recipe.hidden, bias=False)
    nn.init.uniform_(weights.weight, 0.2, 0.4)
    cells = Cells(recipe.hidden, time=recipe.time, total=total)
    keep = [cx.plasticity.Clip(0, 1), cx.plasticity.Normalise(total), cx.plasticity.Clip(0, 1)]
    reward = [] if modulator is None else [cx.plasticity.Modulated(modulator)]
    stdp = cx.STDP(a_plus=recipe.lr, a_minus=0.0, tau_plus=10.0)
    rule = cx.plasticity.chain(stdp, cx.plasticity.Soft(0, 1), *reward, *keep)
    cx.plasticity.attach(rule, synapse=weights, neuron=cells, gradient=False)
    keep[1].constrain_(weights.weight.data, weights)
    return cx.Sequential(OrderedDict(flatten=nn.Flatten(), weights=weights, cells=cells))


def votes(outputs: Tensor, classes: int) -> Tensor:
    """Count the spikes for each class: the first neurons are for the first class, and so on.

    Args:
        outputs: Spikes, ``(time, batch, neurons)``.
        classes: Number of classes [1].
    """
    return torch.stack([part.sum((0, 2)) for part in outputs.tensor_split(classes, dim=2)], 1)


def verdict(outputs: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Pay 1 for a right vote, and -1 for a wrong one.

    Args:
        outputs: Spikes, ``(time, batch, neurons)``.
        labels: True classes, ``(batch,)``.
        classes: Number of classes [1].
    """
    return torch.where(votes(outputs, classes).argmax(1) == labels, 1.0, -1.0)


def classifier(learning: str, model: str, recipe: Recipe, data: Any) -> cx.training.SpikingClassifier:
    """Build the network and what trains it.

    Args:
        learning: How it learns.
        model: ``"mlp"`` or ``"conv"``, where gradients train it.
        recipe: Its sizes.
        data: The data module.
    """
    n = data.num_classes
    if learning == "stdp":
        net = competing(recipe, data.feature_shape, modulator=None)
        return cx.training.SpikingClassifier(net, num_classes=n, assignment=True)
    if learning == "rstdp":
        return cx.training.SpikingClassifier(
            competing(recipe, data.feature_shape, modulator="reward"),
            num_classes=n,
            decode=partial(votes, classes=n),
            payoff=partial(verdict, classes=n),
            modulators={"reward": cx.plasticity.RewardPredictionError(rate=0.02)},
        )
    net = build(model, recipe, data.feature_shape, n)
    if learning == "hybrid":
        first = "weights1" if model == "mlp" else "conv1"
        rule = cx.STDP(a_plus=STRENGTH, a_minus=STRENGTH, tau_plus=5.0, tau_minus=5.0)
        neurons: Any = net.layer1
        cx.plasticity.attach(rule, synapse=getattr(net, first), neuron=neurons, into="grad", gradient=True)
    return cx.training.SpikingClassifier(
        net,
        num_classes=n,
        decode=cx.training.mean_membrane,
        optimizer=partial(torch.optim.AdamW, lr=recipe.lr, weight_decay=1e-2),
        scheduler=one_cycle(recipe.lr),
    )


def jitter(images: Tensor, *, degrees: float = 10.0, shift: float = 0.1, scale: float = 0.1) -> Tensor:
    """Turn, shift and scale each image of a batch by a little of its own.

    Args:
        images: ``(batch, channels, height, width)`` [1].
        degrees: Largest turn to either side [1].
        shift: Largest shift, as a part of the image [1].
        scale: Largest change of size [1].
    """
    n = len(images)
    draw = torch.rand(4, n, device=images.device) * 2 - 1
    angle, size = draw[0] * math.radians(degrees), 1 / (1 + draw[1] * scale)
    rows = [angle.cos() * size, -angle.sin() * size, 2 * shift * draw[2]]
    rows += [angle.sin() * size, angle.cos() * size, 2 * shift * draw[3]]
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3).to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def mirror(images: Tensor) -> Tensor:
    """Mirror every other image of a batch, by chance.

    Args:
        images: ``(batch, channels, height, width)`` [1].
    """
    turned = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(turned, images.flip(-1), images)


def one_cycle(lr: float) -> Callable[..., OneCycleLR]:
    """Return a schedule that rises to ``lr`` and falls to nothing."""

    def make(optimizer: torch.optim.Optimizer, total_steps: int | None = None) -> OneCycleLR:
        return OneCycleLR(optimizer, lr, total_steps=max(total_steps or 0, 10), pct_start=0.2)  # 5 would divide by zero

    return make


def input_shares(profiler: SimpleProfiler) -> dict[str, float]:
    """Return what parts of the time of training, validation included, input took [1].

    Args:
        profiler: What watched the training.

    Returns:
        Under ``waiting`` the part in which training waited for its loader, under ``encoding`` that in which batches
        were moved to the device, changed and encoded.
    """

    def seconds(end: str) -> float:
        return sum(sum(spent) for name, spent in profiler.recorded_durations.items() if name.endswith(end))

    whole = seconds("run_training_epoch") or math.nan
    return {"waiting": seconds("train_dataloader_next") / whole, "encoding": seconds("batch_to_device") / whole}


def main(config: Config) -> dict[str, float]:
    """Train, choose the epoch on the validation part, test once, and report."""
    cx.training.quiet()
    L.seed_everything(config.seed, verbose=False)
    name = config.data.replace("-", "").replace("_", "").lower()
    gradients = config.learning in ("surrogate", "hybrid")
    kind = config.model if gradients else config.learning
    base = RECIPES.get((name, kind), RECIPES["mnist", kind])
    if config.model == "mlp" and config.learning == "hybrid":
        base = RECIPES.get((name, "hybrid"), base)
    given = {key: getattr(config, key) for key in ("epochs", "time", "hidden", "batch_size", "lr")}
    recipe = Recipe(**{**asdict(base), **{key: value for key, value in given.items() if value is not None}})

    encoder = cx.encoders.by_name(config.encoder, time=recipe.time)
    changed = gradients if config.augment is None else config.augment
    data = cx.data.by_name(
        config.data,
        root=config.data_root,
        encoder=encoder if gradients else OnOff(encoder),
        batch_size=recipe.batch_size,
        augment=(mirror if "fashion" in name else jitter) if changed else None,
        seed=config.seed,
    )
    model = classifier(config.learning, config.model, recipe, data)
    kept = partial(ModelCheckpoint, dirpath=config.out, enable_version_counter=False)
    best = kept(filename="best", monitor="val/accuracy", mode="max")
    last = kept(filename="last")  # of every epoch, to go on from
    report = cx.training.Report(config.out, config={**asdict(config), **asdict(recipe)})
    trainer = L.Trainer(
        max_epochs=recipe.epochs,
        precision=config.precision,
        logger=CSVLogger(config.out, name="", version=""),
        callbacks=[best, last, report],
        enable_model_summary=False,
        log_every_n_steps=10,
        profiler=(profiler := SimpleProfiler()),
    )
    trainer.fit(model, datamodule=data, ckpt_path=config.resume)
    waited = input_shares(profiler)
    trainer.test(model, datamodule=data, ckpt_path=best.best_model_path, verbose=False)
    path = config.out / "report.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "input": waited}, indent=2) + "\n")
    return {key: float(value) for key, value in trainer.callback_metrics.items()}


if __name__ == "__main__":
    main(parse(Config))

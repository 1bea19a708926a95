"""What local learning adds to gradients: a convolution trained by STDP first, and then by STDP and gradient together.

First the kernels of a convolution learn by STDP from images without labels: at each place the channels compete, the one
that fires first learns what is there, and channels that win often get higher thresholds. Then a network with that layer
is trained by surrogate gradient, with STDP still at work in the gradient of the first layer. Beside it stand, trained
alike and for as long, the same network by gradient alone, with a first layer that stays random, and with one that stays
as STDP has made it.

``python -m tasks.hybrid`` takes scikit-learn's digits, ``--data mnist`` the larger set. Epochs are chosen on the
validation part; each network sees the test part once.
"""

import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

import conex_nn as cx
from tasks.command_line import parse

VARIANTS = {
    "joint": "STDP, then STDP and gradient",
    "gradient": "gradient alone",
    "frozen random": "random and frozen",
    "frozen STDP": "STDP, then frozen",
}
"""How the first layer learns; the others learn by gradient."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to train, on what, and for how long."""

    data: str = "digits"
    """Data set: digits, mnist or fashion_mnist."""
    epochs: int | None = None
    """Passes over the training part of the network that is reported; by default what the data need [1]."""
    ablation_epochs: int | None = None
    """Passes of each of the four networks of the table; by default what the data need [1]."""
    ablation_images: int | None = None
    """Training images of each of the four networks of the table; by default what the data need [1]."""
    images: int | None = None
    """Images from which STDP learns before; by default what the data need [1]."""
    channels: int | None = None
    """Channels of the first layer; the second has twice as many [1]."""
    time: int = 4
    """Steps for which an image is shown [1]."""
    batch_size: int | None = None
    """Images of a batch [1]."""
    lr: float = 4e-3
    """Largest learning rate of the one-cycle schedule [1]."""
    strength: float = 1e-5
    """Change of the first layer by a pair of spikes, beside the gradient [1]."""
    data_root: Path = Path("data")
    """Folder of the downloaded sets."""
    seed: int = 0
    """Seed of the split, the weights and everything random [1]."""
    out: Path = Path("runs/hybrid")
    """Folder for report.json, the pictures, the log and the checkpoints."""

    def __post_init__(self) -> None:
        for name in ("epochs", "ablation_epochs", "ablation_images", "images", "channels", "time", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {value}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What suits a data set."""

    epochs: int
    ablation_epochs: int
    ablation_images: int
    images: int
    channels: int
    batch_size: int
    kernel: int
    hidden: int


RECIPES = {
    "digits": Recipe(
        epochs=20, ablation_epochs=8, ablation_images=1200, images=1200, channels=8, batch_size=32, kernel=3, hidden=64
    ),
    "mnist": Recipe(
        epochs=6, ablation_epochs=2, ablation_images=10_000, images=6_000, channels=16, batch_size=128, kernel=5,
        hidden=256,
    ),
}  # fmt: skip


class Contrast(nn.Module):
    """Show what is lighter than around it, and what is darker, in two channels, and nothing where all is alike.

    Args:
        encoder: Makes a sequence of that.
        size: Side of the square that is around [1].
    """

    def __init__(self, encoder: Callable[[Tensor], Tensor], *, size: int) -> None:
        super().__init__()
        self.encoder, self.size = encoder, size

    def forward(self, x: Tensor) -> Tensor:
        """Encode images ``(batch, 1, height, width)``."""
        around = F.avg_pool2d(x, self.size, stride=1, padding=self.size // 2, count_include_pad=False)
        return self.encoder(torch.cat([x - around, around - x], 1).clamp(min=0))


class Fatigue(cx.neurons.Behavior):
    """Raise the thresholds of channels that win more often than others, and lower those of the rest.

    Args:
        rate: Change of a threshold that is won at twice the mean rate, per step [mV].
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def spikes(self, spikes: Tensor, state: Any, neuron: Any, *, dt: float) -> tuple[Tensor, Any]:
        """Look at the spikes of a step, ``(batch, channels, height, width)``."""
        if self.training:
            wins = spikes.detach().mean((0, 2, 3))
            neuron.v_threshold += (self.rate * (wins / wins.mean().clamp(min=1e-6) - 1).clamp(max=3))[:, None, None]
        return spikes, state


class FirstTakesAll(cx.neurons.Behavior):
    """What fires first at a place silences all other channels there until the end of the sequence."""

    def initial_state(self, x: Tensor) -> Tensor:
        """Nothing is silenced at first."""
        return torch.zeros_like(x, dtype=torch.bool)

    def membrane(self, v: Tensor, state: Tensor, neuron: Any, *, dt: float) -> tuple[Tensor, Tensor]:
        """Keep down what is silenced."""
        return torch.where(state, neuron.v_reset, v), state

    def spikes(self, spikes: Tensor, state: Tensor, neuron: Any, *, dt: float) -> tuple[Tensor, Tensor]:
        """Silence all channels where one has fired: it has had its say, too."""
        return spikes, state | spikes.any(1, keepdim=True)


class Cells(nn.Module):
    """A population as a link of a chain."""

    def __init__(self, population: cx.Population) -> None:
        super().__init__()
        self.population = population

    def initial_state(self, x: Tensor) -> Any:
        """Return the population's state."""
        return self.population.initial_state(x, ["proximal"])

    def step(self, x: Tensor, state: Any, *, dt: float = 1.0) -> tuple[Tensor, Any]:
        """Advance by one step."""
        return self.population.step({"proximal": x}, state, dt=dt)

    def forward(self, xs: Tensor, state: Any = None, *, dt: float = 1.0) -> tuple[Tensor, Any]:
        """Advance over a sequence."""
        return self.population({"proximal": xs}, state, dt=dt)


def convolution(recipe: Recipe) -> nn.Conv2d:
    """Return the first layer, from contrast to channels."""
    return nn.Conv2d(2, recipe.channels, recipe.kernel, padding=recipe.kernel // 2, bias=False)


def competition(recipe: Recipe, shape: tuple[int, ...]) -> cx.Sequential:
    """Build the first layer as it learns by STDP alone.

    Args:
        recipe: Its sizes.
        shape: Shape of an image, ``(channels, height, width)``.
    """
    conv = convolution(recipe)
    nn.init.uniform_(conv.weight, 0.3, 0.7)
    population = cx.Population(
        (recipe.channels, *shape[1:]),
        cx.LIF(tau_mem=8.0, v_threshold=torch.full((recipe.channels, 1, 1), 0.2)),
        winners=cx.KWinners(1, axis=0),
        behaviors=[FirstTakesAll(), Fatigue(2e-3)],
    )
    rule = cx.plasticity.chain(
        cx.STDP(a_plus=5e-3, a_minus=0.0, tau_plus=8.0),
        cx.plasticity.Soft(0, 1),
        cx.plasticity.Normalise(conv.weight[0].numel() / 5),
        cx.plasticity.Clip(0, 1),
    )
    cells = Cells(population)
    cx.plasticity.attach(rule, synapse=conv, neuron=cells, gradient=False)
    return cx.Sequential(OrderedDict(conv1=conv, layer1=cells, flatten=nn.Flatten()))


def lif() -> cx.LIF:
    """Return the neurons of the network: quick ones, driven hard enough to fire from the start."""
    return cx.LIF(tau_mem=2.0, resistance=2.0, spike_fn=cx.surrogate.atan(alpha=2.0))


def network(
    variant: str, kernels: Tensor, recipe: Recipe, config: Config, shape: tuple[int, ...], classes: int
) -> cx.Sequential:
    """Build a network.

    Args:
        variant: How its first layer learns: one of ``VARIANTS``.
        kernels: What STDP has learned before.
        recipe: Its sizes.
        config: How strong STDP is beside the gradient.
        shape: Shape of an image, ``(channels, height, width)``.
        classes: Number of classes [1].
    """
    c, h, (_, height, width) = recipe.channels, recipe.hidden, shape
    features = 2 * c * math.ceil(height // 2 / 2) * math.ceil(width // 2 / 2)
    conv2 = nn.Conv2d(c, 2 * c, recipe.kernel, padding=recipe.kernel // 2, stride=2)
    net = cx.Sequential(
        OrderedDict(
            conv1=convolution(recipe),
            norm1=nn.BatchNorm2d(c),
            layer1=lif(),
            pool1=nn.MaxPool2d(2),
            conv2=conv2,
            norm2=nn.BatchNorm2d(2 * c),
            layer2=lif(),
            flatten=nn.Flatten(),
            weights3=nn.Linear(features, h),
            layer3=lif(),
            drop3=cx.SequenceDropout(0.1),
            readout=nn.Linear(h, classes),
            membrane=cx.LI(tau_mem=2.0),
        )
    )
    conv1: Any = net.conv1
    if variant in ("joint", "frozen STDP"):
        conv1.weight.data.copy_(kernels)
    if variant.startswith("frozen"):
        conv1.requires_grad_(False)
    if variant == "joint":
        rule = cx.STDP(a_plus=config.strength, a_minus=config.strength, tau_plus=4.0, tau_minus=4.0)
        layer1: Any = net.layer1
        cx.plasticity.attach(rule, synapse=conv1, neuron=layer1, into="grad", gradient=True)
    return net


def one_cycle(lr: float) -> Callable[..., OneCycleLR]:
    """Return a schedule that rises to ``lr`` and falls to nothing."""

    def make(optimizer: torch.optim.Optimizer, total_steps: int | None = None) -> OneCycleLR:
        return OneCycleLR(optimizer, lr, total_steps=max(total_steps or 0, 10), pct_start=0.2)

    return make


def classifier(net: nn.Module, config: Config, classes: int) -> cx.training.SpikingClassifier:
    """Return what trains a network by gradient, and by its rules."""
    return cx.training.SpikingClassifier(
        net,
        num_classes=classes,
        decode=cx.training.mean_membrane,
        optimizer=partial(torch.optim.AdamW, lr=config.lr, weight_decay=1e-2),
        scheduler=one_cycle(config.lr),
    )


def pretrained(recipe: Recipe, config: Config, data: Any) -> Tensor:
    """Return the kernels that STDP learns without labels, and leave pictures of them.

    They excite. Where nothing competes any more, an inhibition as strong in the mean, and the same all over a kernel,
    stands for the competition.
    """
    net = competition(recipe, data.feature_shape)
    images = cx.training.WeightImages(config.out, {"conv1.weight": None})
    trainer = L.Trainer(
        max_epochs=1,
        limit_train_batches=max(1, recipe.images // recipe.batch_size),
        limit_val_batches=0,
        callbacks=[images],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    # Labels are assigned for the progress bar only: that says how much the layer alone tells of the class.
    model = cx.training.SpikingClassifier(net, num_classes=data.num_classes, assignment=True)
    trainer.fit(model, datamodule=data)
    conv1: Any = net.conv1
    weight = conv1.weight.detach()
    return weight - weight.mean((1, 2, 3), keepdim=True)


def trained(
    variant: str, kernels: Tensor, recipe: Recipe, config: Config, data: Any, *, epochs: int, images: int | None
) -> dict[str, Any]:
    """Train and test one network; return how it did. Without ``images`` it is the one that is reported."""
    L.seed_everything(config.seed, verbose=False)
    net = network(variant, kernels, recipe, config, data.feature_shape, data.num_classes)
    model = classifier(net, config, data.num_classes)
    folder = config.out if images is None else config.out / "ablation" / variant.replace(" ", "_")
    best = ModelCheckpoint(folder, "best", monitor="val/accuracy", mode="max", enable_version_counter=False)
    report = cx.training.Report(folder, config={**asdict(config), **asdict(recipe)}, show=images is None)
    trainer = L.Trainer(
        max_epochs=epochs,
        limit_train_batches=1.0 if images is None else max(1, images // recipe.batch_size),
        logger=CSVLogger(folder, name="", version=""),
        callbacks=[best, report],
        enable_model_summary=False,
        log_every_n_steps=10,
    )
    start = time.perf_counter()
    trainer.fit(model, datamodule=data)
    loss = [epoch["train/loss"] for epoch in report.history]
    trainer.test(model, datamodule=data, ckpt_path=best.best_model_path, verbose=False)
    return {
        "first layer": VARIANTS[variant],
        "epochs": epochs,
        "training images": images or "all",
        "loss of the first epoch": loss[0],
        "loss of the last epoch": loss[-1],
        "validation accuracy": float(best.best_model_score or 0.0),
        "accuracy": float(trainer.callback_metrics["test/accuracy"]),
        "seconds": time.perf_counter() - start,
    }


def shown(rows: dict[str, dict[str, Any]], title: str) -> Table:
    """Return the table of what each way to train the first layer gives."""
    table = Table("first layer", "loss, first epoch", "last", "validation", "test", "seconds", title=title)
    for row in rows.values():
        losses = [f"{row[f'loss of the {which} epoch']:.3f}" for which in ("first", "last")]
        accuracies = [f"{100 * row[name]:.2f} %" for name in ("validation accuracy", "accuracy")]
        table.add_row(row["first layer"], *losses, *accuracies, f"{row['seconds']:.0f}")
    return table


def main(config: Config) -> dict[str, float]:
    """Pre-train, train and test the network, compare four of them, and report."""
    cx.training.quiet()
    begin = time.perf_counter()
    L.seed_everything(config.seed, verbose=False)
    base = asdict(RECIPES["digits" if config.data == "digits" else "mnist"])
    given = {name: value for name in base if (value := getattr(config, name, None)) is not None}
    if config.epochs is not None and config.ablation_epochs is None:
        given["ablation_epochs"] = min(config.epochs, base["ablation_epochs"])
    recipe = Recipe(**{**base, **given})
    data = cx.data.by_name(
        config.data,
        root=config.data_root,
        encoder=Contrast(cx.encoders.ConstantCurrent(config.time), size=recipe.kernel + 2),
        batch_size=recipe.batch_size,
        seed=config.seed,
    )
    kernels = pretrained(recipe, config, data)
    train = partial(trained, kernels=kernels, recipe=recipe, config=config, data=data)
    result = train("joint", epochs=recipe.epochs, images=None)
    epochs, images = recipe.ablation_epochs, recipe.ablation_images
    rows = {variant: train(variant, epochs=epochs, images=images) for variant in VARIANTS}
    title = f"{epochs} epochs of {images} images each"
    Console().print(shown(rows, title))
    path = config.out / "report.json"
    report = json.loads(path.read_text())
    report |= {"seconds": time.perf_counter() - begin, "ablation": {"title": title, **rows}}
    path.write_text(json.dumps(report, indent=2, default=str) + "\n")
    return {"test/accuracy": result["accuracy"], **{name: row["accuracy"] for name, row in rows.items()}}


if __name__ == "__main__":
    main(parse(Config))

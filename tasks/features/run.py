"""From images to a report: layers learn one after another, a linear readout is fitted, the test part looked at once."""

import copy
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning as L
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import conex_nn as cx
from tasks.features.linear_probe import fit_probe
from tasks.features.pictures import draw
from tasks.first_spikes.layer import Layer, LayerRecipe, features, forget, in_parts, retina, see, teach
from tasks.first_spikes.parts import Parts, load


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to learn from, and for how long."""

    data: str = "digits"
    """Data set: digits, mnist or fashion_mnist."""
    epochs: int | None = None
    """Passes of the linear probe over the training part; by default what the data need [1]."""
    images: int | None = None
    """Images from which each layer learns by STDP; by default what the data need [1]."""
    batch_size: int = 8
    """Images after which weights change [1]."""
    ablation: int = 5_000
    """Training images of the comparison with raw pixels and filters that learned nothing; 0 for none [1]."""
    data_root: Path = Path("data")
    """Folder of the downloaded sets."""
    seed: int = 0
    """Seed of the split, the weights and everything random [1]."""
    out: Path = Path("runs/features")
    """Folder for report.json, the pictures and the weights."""

    def __post_init__(self) -> None:
        for name in ("epochs", "images", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {value}.")
        if self.ablation < 0:
            raise ValueError(f"Expected `ablation` to be 0 or more images, got {self.ablation}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What suits a data set."""

    layers: tuple[LayerRecipe, ...]
    retina: tuple[int, float, float]
    """Side of the difference of Gaussians [pixel], their two widths [pixel]."""
    time: int
    images: int
    double: int
    """Images after which the learning rate doubles [1]."""
    epochs: int


RECIPES = {
    "digits": Recipe(
        layers=(
            LayerRecipe(channels=24, kernel=3, threshold=3.0, winners=3, radius=1, grid=6),
            LayerRecipe(channels=48, kernel=2, threshold=2.0, pool=2, winners=3, radius=0, grid=2, inhibition=False),
        ),
        retina=(3, 0.5, 1.0),
        time=10,
        images=3000,
        double=400,
        epochs=40,
    ),
    "mnist": Recipe(
        layers=(
            LayerRecipe(channels=32, kernel=5, threshold=7.0, winners=5, radius=2, grid=6),
            LayerRecipe(channels=150, kernel=3, threshold=5.0, pool=3, winners=8, radius=1, grid=3, inhibition=False),
        ),
        retina=(7, 1.0, 2.0),
        time=12,
        images=3000,
        double=400,
        epochs=12,
    ),
}
FAINTEST = 0.05
"""Contrast below which the retina does not fire, in parts of an image's strongest [1]."""


def compare(
    config: Config,
    recipe: Recipe,
    cells: nn.Conv2d,
    layers: Sequence[Layer],
    parts: Parts,
    *,
    learned: tuple[Tensor, Tensor],
) -> dict[str, float]:
    """Return what the same readout makes of raw pixels and of other filters: accuracies on the validation part.

    All see the same few training images. Filters that learned nothing are those from which learning starts, and the
    learned ones with the weights of each filter in another order: as many strong ones, at places that mean nothing.

    Args:
        config: Configuration of the run.
        recipe: What suits the data.
        cells: The retina.
        layers: The layers, which have learned.
        parts: The data.
        learned: What they make of the training images and of the validation part, which need not be found again.
    """
    few, validation = parts.train[0][: config.ablation], parts.validation[0]

    def accuracy(xs: Tensor, vs: Tensor) -> float:
        labels, tested = parts.train[1][: len(few)], (vs, parts.validation[1])
        return fit_probe(xs, labels, tested, classes=parts.classes, epochs=recipe.epochs, seed=config.seed).validation

    def others(mixed: Sequence[Layer], title: str) -> float:
        run = partial(features, cells, mixed)
        return accuracy(in_parts(run, few, title=title), in_parts(run, validation, title=title))

    shuffled, untrained = copy.deepcopy(list(layers)), copy.deepcopy(list(layers))
    for mixed, fresh in zip(shuffled, untrained, strict=True):
        weight = mixed.synapse.weight.data.flatten(1)
        mixed.synapse.weight.data = weight.gather(1, torch.rand_like(weight).argsort(1)).view_as(mixed.synapse.weight)
        forget(fresh.synapse.weight.data)
    return {
        "learned": accuracy(learned[0][: len(few)], learned[1]),
        "learned, shuffled": others(shuffled, "shuffled filters"),
        "untrained": others(untrained, "untrained filters"),
        "raw pixels": accuracy(few.flatten(1), validation.flatten(1)),
    }


def learn_layers(
    config: Config, recipe: Recipe, cells: nn.Conv2d, images: Tensor
) -> tuple[list[Layer], list[list[float]]]:
    """Make layer after layer and let it learn from what those before make of images; labels play no part.

    Args:
        config: Configuration of the run.
        recipe: What suits the data.
        cells: The retina.
        images: Training images, ``(images, 1, height, width)`` [1].

    Returns:
        The layers, and for each how far its weights were from a decision after each update.
    """
    early = see(cells, images[torch.arange(recipe.images) % len(images)])
    layers, undecided = [], []
    for number, sizes in enumerate(recipe.layers, 1):
        faintest = 0.5 / recipe.time if layers else FAINTEST
        layer = Layer(early.shape[1:], sizes, time=recipe.time, faintest=faintest)
        traced = teach(
            layer, early, batch_size=config.batch_size, double=recipe.double, title=f"STDP of layer {number}"
        )
        layers.append(layer)
        undecided.append(traced)
        if number < len(recipe.layers):
            early = in_parts(layer, early, title=f"what layer {number} fires")
    return layers, undecided


def summary(report: dict[str, Any]) -> Table:
    """Return what a run found, as a table."""
    table = Table("", "accuracy", title="convolutional STDP features, linear readout")
    table.add_row("test", f"{report['accuracy']:.2%}")
    table.add_row("validation", f"{report['validation_accuracy']:.2%}")
    few = dict(report.get("ablation", {}))
    count = few.pop("training_images", 0)
    for name, accuracy in few.items():
        table.add_row(f"validation, {name}, {count} training images", f"{accuracy:.2%}")
    table.caption = f"{report['seconds']:.0f} s"
    return table


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    found = {"python": platform.python_version(), "conex_nn": cx.__version__}
    return found | {name: version(name) for name in ("torch", "lightning")}


def main(config: Config) -> dict[str, Any]:
    """Learn layer after layer, fit the readout, test once, and report."""
    begun = last = time.perf_counter()
    stages: dict[str, float] = {}

    def stage(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        stages[name], last = now - last, now

    L.seed_everything(config.seed, verbose=False)
    cx.keep_memory()
    name = config.data.replace("-", "").replace("_", "").lower()
    base = RECIPES.get(name, RECIPES["mnist"])
    recipe = replace(base, epochs=config.epochs or base.epochs, images=config.images or base.images)
    parts = load(config)
    cells = retina(*recipe.retina)
    layers, undecided = learn_layers(config, recipe, cells, parts.train[0])
    stage("stdp")
    run = partial(features, cells, layers)
    xs = in_parts(run, parts.train[0], title="features of training images")
    vs = in_parts(run, parts.validation[0], title="features of validation images")
    stage("features")
    probe = fit_probe(
        xs, parts.train[1], (vs, parts.validation[1]), classes=parts.classes, epochs=recipe.epochs, seed=config.seed
    )
    stage("probe")
    labels, predicted = parts.test[1], probe.predict(in_parts(run, parts.test[0], title="test"))
    confusion = torch.bincount(labels * parts.classes + predicted, minlength=parts.classes**2)
    stage("test")
    report: dict[str, Any] = {
        "accuracy": (predicted == labels).float().mean().item(),
        "validation_accuracy": probe.validation,
        "seconds": last - begun,
        "stages": stages,
        "features": xs.shape[1],
        "weight_decay": probe.weight_decay,
        "undecided": [traced[-1] for traced in undecided],
    }
    if config.ablation:
        few = min(config.ablation, len(xs))
        report["ablation"] = {
            "training_images": few,
            **compare(config, recipe, cells, layers, parts, learned=(xs, vs)),
        }
        stage("ablation")
    report |= {"config": asdict(config), "recipe": asdict(recipe), "seed": config.seed, "versions": versions()}
    config.out.mkdir(parents=True, exist_ok=True)
    (config.out / "report.json").write_text(json.dumps(report, indent=2, default=str) + "\n")
    draw(
        config.out,
        cells,
        layers,
        undecided,
        confusion.view(parts.classes, parts.classes),
        class_names=parts.class_names,
        batch_size=config.batch_size,
    )
    Console().print(summary(report))
    return report

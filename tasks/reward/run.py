"""From images to a report: features by STDP, decisions by reward, the test part looked at once."""

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor, nn

import conex_nn as cx
from conex_nn.plasticity import Payoff
from tasks.first_spikes.layer import Layer, LayerRecipe, in_parts, retina, see, teach
from tasks.first_spikes.parts import load
from tasks.reward.decision import Amounts, Decision, Teacher, right_or_wrong
from tasks.reward.pictures import draw, preferred


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to learn from, and for how long."""

    data: str = "digits"
    """Data set: digits, mnist or fashion_mnist."""
    epochs: int | None = None
    """Passes of the deciding neurons over the training part; by default what the data need [1]."""
    images: int | None = None
    """Images from which the convolution learns by STDP; by default what the data need [1]."""
    maps: int | None = None
    """Deciding neurons of each class; by default what the data need [1]."""
    batch_size: int = 50
    """Images after which the weights of deciding neurons change [1]."""
    dropout: float = 0.5
    """Share of deciding neurons that may not decide on an image they learn from [1]."""
    ablation: int = 10_000
    """Training images of the comparison with what learns without reward or from random features; 0 for none [1]."""
    data_root: Path = Path("data")
    """Folder of the downloaded sets."""
    seed: int = 0
    """Seed of the split, the weights and everything random [1]."""
    out: Path = Path("runs/reward")
    """Folder for report.json, the pictures and the weights."""

    def __post_init__(self) -> None:
        for name in ("epochs", "images", "maps", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {value}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"Expected `dropout` to be at least 0 and below 1 [1], got {self.dropout}.")
        if self.ablation < 0:
            raise ValueError(f"Expected `ablation` to be 0 or more images, got {self.ablation}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What suits a data set."""

    layer: LayerRecipe
    retina: tuple[int, float, float]
    """Side of the difference of Gaussians [pixel], their two widths [pixel]."""
    time: int
    images: int
    double: int
    """Images after which the learning rate of the convolution doubles [1]."""
    cell: int
    """Side of the cells in which one spike of a map is enough [1]."""
    stride: int
    """Distance of the cells [1]."""
    maps: int
    epochs: int
    amounts: Amounts


RECIPES = {
    "digits": Recipe(
        layer=LayerRecipe(channels=24, kernel=3, threshold=3.0, winners=3, radius=1, grid=1),
        retina=(5, 0.7, 1.4),
        time=10,
        images=3000,
        double=400,
        cell=2,
        stride=1,
        maps=8,
        epochs=40,
        amounts=Amounts((0.1, 0.075), (0.1, 0.0125)),
    ),
    "mnist": Recipe(
        layer=LayerRecipe(channels=50, kernel=5, threshold=7.0, winners=5, radius=2, grid=1),
        retina=(7, 1.0, 2.0),
        time=8,
        images=3000,
        double=400,
        cell=6,
        stride=4,
        maps=20,
        epochs=20,
        amounts=Amounts((0.1, 0.075), (0.1, 0.0125)),
    ),
}
FAINTEST = 0.05
"""Contrast below which the retina does not fire, in parts of an image's strongest [1]."""


@dataclass(frozen=True)
class Learned:
    """Neurons that decide, at their best epoch, and how they came to it."""

    decision: Decision
    history: list[dict[str, float]]

    @property
    def validation(self) -> float:
        """Accuracy on the validation part at the best epoch [1]."""
        return max(epoch["val/accuracy"] for epoch in self.history)


@torch.no_grad()
def first_alone(layer: Layer, early: Tensor) -> Tensor:
    """Return which neurons fire when at each place the first silences the others, ``(batch, channels, height, width)``.

    Of those that fire at the same step, it is the one of the highest potential.

    Args:
        layer: The convolution.
        early: How early its sources fire, ``(batch, 2, height, width)`` [1].
    """
    _, current, spikes = layer.wave(early)
    potential = (current.cumsum(0) * spikes).sum(0)
    left = spikes.cumsum(0).sum(0)  # steps from the spike to the end of the wave
    score = left * (potential.amax() + 1) + potential
    return ((score > 0) & (score == score.amax(1, keepdim=True))).to(early.dtype)


def fire(cells: nn.Conv2d, layer: Layer, recipe: Recipe, images: Tensor, *, title: str) -> Tensor:
    """Return which maps of the convolution fire in which cells of the image: ``(images, features)``, uint8.

    Args:
        cells: The retina.
        layer: The convolution.
        recipe: What suits the data.
        images: Intensities, ``(images, 1, height, width)`` [1].
        title: What the progress bar says.
    """

    def run(part: Tensor) -> Tensor:
        spikes = torch.cat([first_alone(layer, see(cells, few)) for few in part.split(8)])  # fits into the caches
        return F.max_pool2d(spikes, recipe.cell, recipe.stride).flatten(1).to(torch.uint8)

    return in_parts(run, images, title=title)


@torch.no_grad()
def decide(decision: Decision, fired: Tensor) -> Tensor:
    """Return the class that neurons name for each image, -1 where none fires."""
    return torch.cat([decision.named(decision(part.float())) for part in fired.split(1000)])


def learn_to_decide(
    config: Config,
    recipe: Recipe,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    *,
    classes: int,
    title: str = "R-STDP",
    payoff: Payoff = right_or_wrong,
) -> Learned:
    """Let neurons learn by what their decisions earn, and return them as they were at the best epoch.

    Args:
        config: Configuration of the run.
        recipe: What suits the data.
        train: Which sources fire, and labels.
        validation: The same, to choose the epoch by.
        classes: Number of classes [1].
        title: What the progress bar says.
        payoff: What a decision earns.
    """
    fired, labels = train
    batches = -(-len(fired) // config.batch_size)
    total = recipe.epochs * batches
    decision = Decision(fired.shape[1], classes=classes, maps=recipe.maps)
    teacher = Teacher(
        decision,
        classes=classes,
        amounts=recipe.amounts,
        batch_size=config.batch_size,
        dropout=config.dropout,
        rate=lambda updates: 1 - 0.9 * updates / total,
        payoff=payoff,
    )
    history: list[dict[str, float]] = []
    best, kept = -1.0, {}
    with Progress(transient=True) as progress:
        bar = progress.add_task(title, total=total)
        for epoch in range(recipe.epochs):
            right = 0
            for chosen in torch.randperm(len(fired)).split(config.batch_size):
                right += teacher.teach(fired[chosen].float(), labels[chosen])
                progress.advance(bar)
            accuracy = (decide(decision, validation[0]) == validation[1]).float().mean().item()
            history.append({"epoch": epoch, "train/accuracy": right / len(fired), "val/accuracy": accuracy})
            progress.update(bar, description=f"{title}, validation {accuracy:.2%}")
            if accuracy > best:
                best, kept = accuracy, {name: value.clone() for name, value in decision.state_dict().items()}
    decision.load_state_dict(kept)
    return Learned(decision, history)


def no_reward(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return a payoff that knows nothing of right and wrong: plain STDP of whichever neuron has won."""
    return torch.ones_like(outputs, dtype=torch.get_default_dtype())


def compare(
    config: Config,
    recipe: Recipe,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    shuffled: Sequence[Tensor],
    *,
    classes: int,
) -> dict[str, float]:
    """Return accuracies on the validation part: with reward, without, and on features of shuffled filters.

    Args:
        config: Configuration of the run.
        recipe: What suits the data.
        train: Which sources fire, and labels.
        validation: The same of the validation part.
        shuffled: Which sources fire in both parts, if each filter's weights have changed places.
        classes: Number of classes [1].
    """
    recipe = replace(recipe, epochs=min(recipe.epochs, 8))

    def accuracy(a: Tensor, b: Tensor, title: str, payoff: Payoff = right_or_wrong) -> float:
        xs, ys = a[: config.ablation], train[1][: config.ablation]
        return learn_to_decide(
            config, recipe, (xs, ys), (b, validation[1]), classes=classes, title=title, payoff=payoff
        ).validation

    return {
        "reward": accuracy(train[0], validation[0], "with reward"),
        "no reward": accuracy(train[0], validation[0], "without reward", no_reward),
        "random features": accuracy(shuffled[0], shuffled[1], "random features"),
    }


def summary(report: dict[str, Any]) -> Table:
    """Return what a run found, as a table."""
    table = Table("", "accuracy", title="decisions learned by reward")
    table.add_row("test", f"{report['accuracy']:.2%}")
    table.add_row("validation", f"{report['validation_accuracy']:.2%}")
    few = dict(report.get("ablation", {}))
    count, epochs = few.pop("training_images", 0), few.pop("epochs", 0)
    for name, accuracy in few.items():
        table.add_row(f"validation, {name}, {count} training images, {epochs} epochs", f"{accuracy:.2%}")
    table.caption = f"{report['seconds']:.0f} s"
    return table


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    found = {"python": platform.python_version(), "conex_nn": cx.__version__}
    return found | {name: version(name) for name in ("torch", "lightning")}


def main(config: Config) -> dict[str, Any]:
    """Learn features, then to decide; test once, and report."""
    begun = last = time.perf_counter()
    stages: dict[str, float] = {}

    def stage(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        stages[name], last = now - last, now

    L.seed_everything(config.seed, verbose=False)
    name = config.data.replace("-", "").replace("_", "").lower()
    base = RECIPES.get(name, RECIPES["mnist"])
    given = {"epochs": config.epochs, "images": config.images, "maps": config.maps}
    recipe = replace(base, **{name: value for name, value in given.items() if value is not None})
    parts = load(config)
    cells = retina(*recipe.retina)
    images, labels = parts.train
    early = see(cells, images[torch.arange(recipe.images) % len(images)])
    layer = Layer(early.shape[1:], recipe.layer, time=recipe.time, faintest=FAINTEST)
    undecided = teach(layer, early, batch_size=8, double=recipe.double)
    stage("stdp")
    fired = fire(cells, layer, recipe, images, title="features of training images")
    seen = fire(cells, layer, recipe, parts.validation[0], title="features of validation images")
    stage("features")
    train, validation = (fired, labels), (seen, parts.validation[1])
    learned = learn_to_decide(config, recipe, train, validation, classes=parts.classes)
    stage("reward")
    named = decide(learned.decision, fire(cells, layer, recipe, parts.test[0], title="test"))
    truth, has_named = parts.test[1], named >= 0
    confusion = torch.bincount(truth[has_named] * parts.classes + named[has_named], minlength=parts.classes**2)
    stage("test")
    report: dict[str, Any] = {
        "accuracy": (named == truth).float().mean().item(),
        "validation_accuracy": learned.validation,
        "seconds": last - begun,
        "silent": 1 - has_named.float().mean().item(),
        "stages": stages,
        "features": fired.shape[1],
        "fired": fired.float().mean().item(),
        "undecided": undecided[-1],
    }
    if config.ablation:
        few = min(config.ablation, len(fired))
        weight = layer.synapse.weight.data
        layer.synapse.weight.data = (
            weight.flatten(1).gather(1, torch.rand_like(weight.flatten(1)).argsort(1)).view_as(weight)
        )
        shuffled = [fire(cells, layer, recipe, x, title="random features") for x in (images[:few], parts.validation[0])]
        layer.synapse.weight.data = weight
        found = compare(config, recipe, train, validation, shuffled, classes=parts.classes)
        report["ablation"] = {"training_images": few, "epochs": min(recipe.epochs, 8), **found}
        stage("ablation")
    report |= {"config": asdict(config), "recipe": asdict(recipe), "seed": config.seed, "versions": versions()}
    report["history"] = learned.history
    config.out.mkdir(parents=True, exist_ok=True)
    (config.out / "report.json").write_text(json.dumps(report, indent=2, default=str) + "\n")
    draw(
        config.out,
        learned.history,
        cells,
        layer,
        preferred(learned.decision, cells, layer, cell=recipe.cell, stride=recipe.stride, each=6),
        confusion.view(parts.classes, parts.classes),
        class_names=parts.class_names,
    )
    Console().print(summary(report))
    return report

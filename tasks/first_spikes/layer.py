"""Layers of neurons that fire once and learn by the order of first spikes, and the retina before them.

Kheradpisheh et al., STDP-based spiking deep convolutional neural networks for object recognition, Neural Networks 99
(2018), sections 2.1 to 2.4.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from rich.progress import Progress
from torch import Tensor, nn
from typing_extensions import override

import conex_nn as cx
from conex_nn.encoders import filters
from conex_nn.plasticity import Activity, Chain, Clip, LearningRate, Product, Rule, Term, Terms, chain, learn

__all__ = [
    "FirstSpikeSTDP", "Layer", "LayerRecipe", "features", "first_few", "forget", "in_parts", "retina", "rule", "see",
    "teach",
]  # fmt: skip

A_PLUS, A_MINUS, FASTEST = 0.004, 0.003, 0.15
"""Strengthening, weakening, and the largest to which strengthening grows [1]."""
AT_ONCE = 32
"""Images whose spikes are in memory at a time: those of a few fit into the caches [1]."""
strongest = filters.PeakNormalise(feature_ndim=3)
"""Give an image in parts of its strongest value."""
forget = partial(nn.init.trunc_normal_, mean=0.8, std=0.05, a=0.0, b=1.0)
"""Fill a weight as it is before anything was learned."""


@dataclass(frozen=True, kw_only=True)
class LayerRecipe:
    """One layer."""

    channels: int
    kernel: int
    threshold: float
    pool: int = 1
    """Side of the cells of the layer before whose first spike is passed on [1]."""
    winners: int
    """Neurons of an image that learn, at most [1]."""
    radius: int
    """Within it a winner keeps others from learning [1]."""
    grid: int
    """Side of the grid of cells that the readout sees [1]."""
    inhibition: bool = True
    """Whether the map that fires first at a place silences the others there; for what comes after the layer."""


class FirstSpikeSTDP(Rule):
    """STDP of neurons that fire once: what fired before its target or with it is strengthened, the rest weakened.

    Args:
        a_plus: Strengthening by a spike of the target [1].
        a_minus: Weakening [1].
    """

    def __init__(self, *, a_plus: float = A_PLUS, a_minus: float = A_MINUS) -> None:
        super().__init__()
        self.a_plus, self.a_minus = a_plus, a_minus

    @override
    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> Tensor:
        return torch.zeros_like(pre)

    @override
    def terms(self, seen: Activity, state: Tensor) -> tuple[Terms, Tensor]:
        fired = (state + seen.pre.cumsum(0)).clamp_(max=1)
        late = Term(1 - fired, seen.post, sign=-1)
        return [Term(fired, seen.post).times(self.a_plus), late.times(self.a_minus)], fired[-1]


def rule(batch_size: int, double: int) -> Chain:
    """Return the rule of the paper, with its bound w (1 - w) and a rate that doubles.

    Args:
        batch_size: Images of an update, each of which counts in full [1].
        double: Images after which the rate doubles [1].
    """

    def rate(updates: Tensor) -> Tensor:
        return torch.exp2(updates * batch_size // double).clamp(max=FASTEST / A_PLUS) * batch_size

    return chain(FirstSpikeSTDP(), Product(0, 1), LearningRate(rate), Clip(0, 1))


class Layer(nn.Module):
    """A convolution of neurons that fire once; from an image of how early its sources fire to one of how early it does.

    Args:
        source: Shape of its source, ``(channels, height, width)``, before the pool [1].
        recipe: Its sizes.
        time: Steps of a wave [1].
        faintest: Earliness below which a source does not fire [1].
    """

    earliness: Tensor

    def __init__(self, source: Sequence[int], recipe: LayerRecipe, *, time: int, faintest: float) -> None:
        super().__init__()
        depth, height, width = source[0], source[1] // recipe.pool, source[2] // recipe.pool
        self.recipe = recipe
        self.shape = (recipe.channels, height - recipe.kernel + 1, width - recipe.kernel + 1)
        self.encoder = cx.encoders.Latency(time, threshold=faintest)
        self.synapse = cx.Conv2d((depth, height, width), self.shape, kernel_size=recipe.kernel, init=forget)
        self.neuron = cx.IF(v_threshold=recipe.threshold, refractory_time=float(time))  # one spike in a wave
        self.register_buffer("earliness", 1 - torch.arange(time) / time)

    def wave(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return spikes of the source, the current that they make, and spikes: ``(time, batch, ...)`` each.

        Args:
            images: How early sources fire, 1 at once and 0 never, ``(batch, channels, height, width)`` [1].
        """
        pre = self.encoder(F.max_pool2d(images, self.recipe.pool))
        current = self.synapse(pre)
        spikes, _ = self.neuron(current)
        return pre, current, spikes

    @override
    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        early = torch.tensordot(self.earliness, self.wave(images)[2], dims=1)
        if not self.recipe.inhibition:
            return early
        return early * (early == early.amax(1, keepdim=True))  # maps that fire in the same step share the place

    def cells(self, early: Tensor) -> Tensor:
        """Return how early each map fires in each cell of the grid, ``(batch, features)``."""
        return F.adaptive_avg_pool2d(early, self.recipe.grid).flatten(1)


@torch.no_grad()
def first_few(current: Tensor, spikes: Tensor, *, count: int, radius: int) -> Tensor:
    """Return the spikes of those who learn: the earliest of each image, of equals that of the highest potential.

    No two of an image are of one map, or nearer than `radius` in height and width.

    Args:
        current: Current of the neurons, ``(time, batch, channels, height, width)`` [nA].
        spikes: Their spikes, one each at most [1].
        count: How many of an image learn, at most [1].
        radius: Largest distance at which a winner silences others [1].
    """
    batch, channels, height, width = spikes.shape[1:]
    potential = (current.cumsum(0) * spikes).sum(0)
    left = spikes.cumsum(0).sum(0)  # steps from the spike to the end of the wave
    score = left * (potential.amax() + 1) + potential
    rows, columns, maps = (torch.arange(n, device=score.device) for n in (height, width, channels))
    chosen = torch.zeros_like(score)
    for _ in range(count):
        best, index = score.flatten(1).max(1)
        chosen.flatten(1).scatter_add_(1, index[:, None], (best > 0).to(score.dtype)[:, None])
        of, row, column = index // (height * width), index // width % height, index % width
        same = (maps == of[:, None]).view(batch, channels, 1, 1)
        near_row = ((rows - row[:, None]).abs() <= radius).view(batch, 1, height, 1)
        near = near_row & ((columns - column[:, None]).abs() <= radius).view(batch, 1, 1, width)
        score = score.masked_fill(same | near, 0)
    return spikes * chosen


def teach(layer: Layer, images: Tensor, *, batch_size: int, double: int, title: str = "STDP") -> list[float]:
    """Let a layer learn from images in their order; return the mean of w (1 - w) after each update, 0 once all is said.

    Args:
        layer: The layer.
        images: How early its sources fire, ``(images, channels, height, width)`` [1].
        batch_size: Images of an update [1].
        double: Images after which the learning rate doubles [1].
        title: What the progress bar says.
    """
    recipe, learning, undecided = layer.recipe, rule(batch_size, double), []
    learning.check(layer.synapse)
    with Progress(transient=True) as progress, torch.no_grad():
        for batch in progress.track(images.split(batch_size), description=title):
            pre, current, spikes = layer.wave(batch)
            winners = first_few(current, spikes, count=recipe.winners, radius=recipe.radius)
            learn(learning, layer.synapse, None, pre, winners, keep_state=False)
            weight = layer.synapse.weight
            undecided.append((weight * (1 - weight)).mean().item())
    return undecided


def retina(size: int, narrow: float, wide: float) -> nn.Conv2d:
    """Return cells that see a bright spot on a dark ground, and cells that see the reverse.

    Args:
        size: Side of their receptive field, odd [pixel].
        narrow: Width of the centre [pixel].
        wide: Width of the surround [pixel].
    """
    kernel = filters.difference_of_gaussians(size, centre=narrow, surround=wide)  # an even ground is not seen
    cells = nn.Conv2d(1, 2, size, padding=size // 2, bias=False)
    cells.weight = nn.Parameter(torch.stack([kernel, -kernel])[:, None], requires_grad=False)
    return cells


@torch.no_grad()
def see(cells: nn.Conv2d, images: Tensor) -> Tensor:
    """Return on and off contrasts, in parts of the strongest of each image, ``(images, 2, height, width)``.

    Args:
        cells: A retina.
        images: Intensities, ``(images, 1, height, width)`` [1].
    """
    return strongest(cells(images).relu_())


def in_parts(run: Callable[[Tensor], Tensor], images: Tensor, *, title: str) -> Tensor:
    """Run something on a few images at a time, with a progress bar, and put the results together.

    Args:
        run: From ``(batch, ...)`` to ``(batch, ...)``.
        images: All of them.
        title: What the progress bar says.
    """
    with Progress(transient=True) as progress:
        return torch.cat([run(part) for part in progress.track(images.split(AT_ONCE), description=title)])


def features(cells: nn.Conv2d, layers: Sequence[Layer], images: Tensor) -> Tensor:
    """Return what the readout sees of images, ``(images, features)``: all layers, each on its grid.

    Args:
        cells: The retina.
        layers: The layers in their order.
        images: Intensities, ``(images, 1, height, width)`` [1].
    """
    early, seen = see(cells, images), []
    for layer in layers:
        early = layer(early)
        seen.append(layer.cells(early))
    return torch.cat(seen, 1)

"""Recordings that no camera made: digits that move before a simulated sensor."""

import math

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor

import conex_nn as cx

__all__ = ["moving_digits", "simulate"]

SIDE = 34
"""Pixels of the sensor, each way [1]."""
CORNERS = ((0.0, 0.0), (3.0, 5.0), (6.0, 0.0), (0.0, 0.0))
"""Where the view is between three saccades, as columns and rows [pixels]."""


def moving_digits(
    train: int, test: int, *, generator: torch.Generator
) -> tuple[cx.data.LabelledEvents, cx.data.LabelledEvents]:
    """Make recordings of scikit-learn's digits.

    Args:
        train: Recordings to learn from [1].
        test: Recordings to test with, of other digits [1].
        generator: Source of randomness: which digits, how fast, and noise.

    Returns:
        Both parts.
    """
    pixels, digits = load_digits(return_X_y=True)
    chosen = torch.randperm(len(digits), generator=generator)[: train + test]
    images = torch.as_tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8)[chosen] / 16
    labels = torch.as_tensor(digits)[chosen].long()
    images = F.interpolate(images, size=(20, 20), mode="bicubic").clamp(0, 1)[:, 0]
    parts = []
    for part in (slice(0, train), slice(train, train + test)):
        events = simulate(images[part], generator=generator)
        parts.append(cx.data.LabelledEvents(events, labels[part], sensor_size=(SIDE, SIDE)))
    return parts[0], parts[1]


def simulate(
    images: Tensor,
    *,
    generator: torch.Generator,
    step: float = 3.0,
    steps: int = 100,
    contrast: float = 0.35,
    noise: float = 0.5,
) -> "cx.encoders.events.Events":
    """Move images before an event camera: a pixel fires whenever the logarithm of its brightness has changed enough.

    Args:
        images: Brightness ``(recordings, height, width)`` in [0, 1] [1].
        generator: Source of randomness.
        step: Time between two looks [ms].
        steps: Number of looks [1].
        contrast: Change of the logarithm that makes an event [1].
        noise: Rate of events of a pixel without any cause [Hz].

    Returns:
        A batch of recordings on ``SIDE`` x ``SIDE`` pixels.
    """
    scene = F.pad(images, (10, SIDE - 10, 10, SIDE - 10))  # wider than the sensor: the view moves over it
    speed = 1 + 0.1 * (2 * torch.rand(len(images), generator=generator) - 1)
    seen = _brightness(scene, speed, 0.0)
    found = []
    for look in range(1, steps + 1):
        now = _brightness(scene, speed, look / steps)
        times = ((now - seen) / contrast).trunc()
        seen = seen + times * contrast
        random = torch.rand(times.shape, generator=generator) < noise * step / 1000
        sign = torch.where(torch.rand(times.shape, generator=generator) < 0.5, -1.0, 1.0)
        fired = torch.where(random & (times == 0), sign, times)
        recording, y, x = fired.nonzero(as_tuple=True)
        value = fired[recording, y, x]
        repeated = value.abs().long()
        late = torch.rand(int(repeated.sum()), generator=generator)
        fields = [each.repeat_interleave(repeated) for each in (recording, x, y, (value > 0).long())]
        found.append((*fields, ((look - 1 + late) * step * 1000).long()))
    recording, x, y, p, t = (torch.cat(each) for each in zip(*found, strict=True))
    order = recording.argsort(stable=True)
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), recording.bincount(minlength=len(images)).cumsum(0)])
    x, y, p = (each[order].to(torch.uint8) for each in (x, y, p))
    return cx.encoders.events.sort_events(cx.encoders.events.Events(x, y, p, t[order], offsets))


def _brightness(scene: Tensor, speed: Tensor, progress: float) -> Tensor:
    """Return the logarithm of what each sensor sees, after a part of its way."""
    place = (progress * speed).clamp(max=1.0) * (len(CORNERS) - 1)
    corner = place.long().clamp(max=len(CORNERS) - 2)
    share = (place - corner).unsqueeze(1)
    corners = torch.tensor(CORNERS)
    column, row = (corners[corner] * (1 - share) + corners[corner + 1] * share).T
    height, width = scene.shape[1:]
    rows = torch.arange(SIDE)[None] + row[:, None]
    columns = torch.arange(SIDE)[None] + column[:, None]
    grid = torch.stack(
        [
            (2 * columns / (width - 1) - 1)[:, None, :].expand(-1, SIDE, -1),
            (2 * rows / (height - 1) - 1)[:, :, None].expand(-1, -1, SIDE),
        ],
        -1,
    )
    view = F.grid_sample(scene.unsqueeze(1), grid, align_corners=True)[:, 0]
    return (view + 0.1).log() - math.log(0.1)

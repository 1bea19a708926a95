"""Recordings drawn at random, as our record and as the structured array that tonic takes."""

import numpy as np
import torch

from conex_nn.encoders.events import Events

HEIGHT, WIDTH = 10, 14
FIELDS = np.dtype([("x", np.int64), ("y", np.int64), ("t", np.int64), ("p", np.int64)])


def recording(n: int = 500, *, seed: int = 0, start: int = 0, longest: int = 50) -> Events:
    draw = torch.Generator().manual_seed(seed)
    x, y, p = (torch.randint(0, high, (n,), generator=draw) for high in (WIDTH, HEIGHT, 2))
    return Events(x, y, p, start + torch.randint(0, longest, (n,), generator=draw).cumsum(0))


def structured(events: Events) -> np.ndarray:
    array = np.empty(len(events.t), dtype=FIELDS)
    for name in FIELDS.names:
        array[name] = getattr(events, name).numpy()
    return array


def batch(*recordings: Events) -> Events:
    offsets = torch.tensor([0, *(len(each.t) for each in recordings)]).cumsum(0)
    fields = [torch.cat([getattr(each, name) for each in recordings]) for name in ("x", "y", "p", "t")]
    return Events(*fields, offsets=offsets)


EMPTY = recording(0)

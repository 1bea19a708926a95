"""Recordings of event cameras in files: a data set as one .npz, or one recording as cameras write it."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from conex_nn.data.labelled_events import LabelledEvents, select_recordings
from conex_nn.encoders.events import Events, from_structured


def write_events(path: str | Path, train: LabelledEvents, test: LabelledEvents) -> None:
    """Write the recordings of a data set into one compressed file, as :func:`read_events` reads it.

    The file holds x, y, p, ``t_us`` [µs], ``offsets``, ``labels``, ``split`` (0 for training, 1 for test) and
    ``sensor_size`` (width, height, polarities), as plain arrays.

    Args:
        path: The file, ending in ``.npz``.
        train: Recordings to learn from.
        test: Recordings to test with.

    Raises:
        ValueError: Another ending, times that 32 bits do not hold, or parts of different sensors.

    Example:
        >>> import tempfile
        >>> t = torch.tensor([0, 7, 9])
        >>> data = LabelledEvents(Events(t, t, t % 2, t), torch.tensor([3]), sensor_size=(10, 12))
        >>> path = Path(tempfile.mkdtemp()) / "events.npz"
        >>> write_events(path, data, data)
        >>> read_events(path)[1][0]
        (Events(x=tensor([0, 7, 9], dtype=torch.uint8), ..., offsets=None), tensor(3))
    """
    if Path(path).suffix != ".npz":
        raise ValueError(f"Expected `path` to end in .npz, got {str(path)!r}.")
    if train.sensor_size != test.sensor_size:
        raise ValueError(
            f"Expected `train` and `test` of one sensor, (height, width), got {train.sensor_size} and "
            f"{test.sensor_size}."
        )
    height, width = train.sensor_size
    small = np.uint8 if max(height, width) <= 256 else np.uint16
    arrays = {}
    for name, kind in (("x", small), ("y", small), ("p", np.uint8), ("t", np.uint32)):
        values = torch.cat([getattr(part.events, name).long() for part in (train, test)])
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) <= np.iinfo(kind).max:
            raise ValueError(
                f"Expected times from 0 to {np.iinfo(kind).max} [µs], got {int(values.min())} to {int(values.max())}. "
                "Let each recording begin at 0."
            )
        arrays["t_us" if name == "t" else name] = values.numpy().astype(kind)
    counts = torch.cat([part.events.bounds.diff() for part in (train, test)])
    np.savez_compressed(
        path,
        **arrays,
        offsets=np.concatenate([[0], counts.cumsum(0).numpy()]),
        labels=torch.cat([train.labels, test.labels]).numpy(),
        split=np.repeat(np.array([0, 1], dtype=np.uint8), [len(train), len(test)]),
        sensor_size=np.array([width, height, 2]),
    )


def read_events(path: str | Path) -> tuple[LabelledEvents, LabelledEvents]:
    """Read the training part and the test part of a data set that :func:`write_events` wrote.

    Args:
        path: The file.

    Returns:
        Recordings to learn from, and recordings to test with.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A file of another kind or with other contents, or events out of the sensor or out of the order of
            time.

    Example:
        >>> train, test = read_events("data/nmnist_small.npz")  # doctest: +SKIP
        >>> len(train), len(test)  # doctest: +SKIP
        (1000, 100)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a data set of events, got no file at {str(path)!r}.")
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"Expected {str(path)!r} to be an .npz file as `write_events` makes it, got one of another kind. "
            "A recording as a camera writes it is read by `read_recording`."
        )
    with np.load(path, allow_pickle=False) as file:
        wanted = ("x", "y", "p", "t_us", "offsets", "labels", "split", "sensor_size")
        if missing := [name for name in wanted if name not in file]:
            raise ValueError(f"Expected {str(path)!r} to hold {', '.join(wanted)}, got a file without {missing[0]}.")
        held = {name: file[name] for name in wanted}
    t = held["t_us"]
    t = t.astype(np.int32 if not len(t) or t.max() < 2**31 else np.int64)
    x, y = (held[name] if held[name].dtype == np.uint8 else held[name].astype(np.int32) for name in ("x", "y"))
    fields = [torch.from_numpy(values) for values in (x, y, held["p"].astype(np.uint8), t)]
    events = Events(*fields, offsets=torch.from_numpy(held["offsets"].astype(np.int64)))
    labels, split = torch.from_numpy(held["labels"].astype(np.int64)), torch.from_numpy(held["split"].astype(np.int64))
    width, height, _ = held["sensor_size"].tolist()
    if len(split) != len(labels):
        raise ValueError(f"Expected `split` to tell the part of {len(labels)} recordings, got {len(split)}.")
    whole = LabelledEvents(events, labels, sensor_size=(height, width))
    parts = [(split == part).nonzero().flatten() for part in (0, 1)]
    train, test = (
        LabelledEvents(select_recordings(whole.events, part), labels[part], sensor_size=(height, width))
        for part in parts
    )
    return train, test


def read_recording(path: str | Path) -> Events:
    """Read one recording, through tonic: ``.bin`` of N-MNIST and N-Caltech101, or ``.aedat4`` of a camera.

    Args:
        path: The file.

    Raises:
        ValueError: Another ending.
        FileNotFoundError: No such file.
        ImportError: Without tonic (``pip install conex-nn[events]``).

    Example:
        >>> read_recording("Train/0/00002.bin").t[:2]  # doctest: +SKIP
        tensor([ 937, 1030])
    """
    path = Path(path)
    if path.suffix not in (".bin", ".aedat4"):
        raise ValueError(f"Expected `path` to end in .bin or .aedat4, got {path.name!r}.")
    if not path.is_file():
        raise FileNotFoundError(f"Expected a recording, got no file at {str(path)!r}.")
    io = require_tonic().io
    if path.suffix == ".aedat4":
        return from_structured(io.read_aedat4(str(path)))
    return from_structured(io.read_mnist_file(str(path), dtype=io.events_struct))


def require_tonic() -> Any:
    """Return tonic, or raise with what to do.

    Raises:
        ImportError: It is not installed.

    Example:
        >>> require_tonic().__name__  # doctest: +SKIP
        'tonic'
    """
    try:
        import tonic  # pyright: ignore[reportMissingImports]
        import tonic.io  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            "Expected tonic, which reads the files of event cameras, got none. Install it: "
            "`pip install conex-nn[events]`."
        ) from error
    return tonic

"""How fast images become spikes, encoded on the device or by workers, and how long a training loop waits for them."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import conex_nn as cx

__all__ = ["CASES", "Case", "measure", "show", "waiting"]

IMAGES, TIME, BATCH = 60_000, 100, 128


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way from images to spikes."""

    place: str
    """Where spikes are made: device or worker."""
    workers: int
    """Processes that read batches [1]."""
    dtype: torch.dtype
    """Type in which an encoder makes them."""

    @property
    def name(self) -> str:
        """What the table calls it."""
        by = {0: "main process", 1: "1 worker"}.get(self.workers, f"{self.workers} workers")
        of = str(self.dtype).removeprefix("torch.")
        return f"on the device, {of}" if self.place == "device" else f"by {by}, {of}"


CASES = (
    Case(place="device", workers=0, dtype=torch.float32),
    Case(place="device", workers=0, dtype=torch.uint8),
    Case(place="worker", workers=0, dtype=torch.uint8),
    Case(place="worker", workers=1, dtype=torch.uint8),
    Case(place="worker", workers=2, dtype=torch.uint8),
    Case(place="worker", workers=2, dtype=torch.float32),
)
ENCODERS = {
    "poisson": partial(cx.encoders.Poisson, TIME, max_rate=200.0),
    "latency": partial(cx.encoders.Latency, TIME),
}


def _images(root: Path, count: int) -> torch.Tensor:
    """Return MNIST's images, or random ones of their size where there are none: encoding takes as long."""
    if (root / "MNIST").is_dir():
        data = cx.data.MNIST(root=root, validation=0, batch_size=IMAGES)
        return next(iter(data.train_dataloader()))[0][:count]
    lit = torch.rand(count, 1, 28, 28) < 0.19
    return torch.where(lit, torch.randint(256, lit.shape), 0).to(torch.uint8)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured of a case."""

    seconds: float
    images_per_second: float
    bytes_read: float
    """Bytes of an image as a batch leaves the loader: what crosses from a worker, and what goes to the device."""
    bytes_made: float
    """Bytes of an image's spikes as the model gets them."""


def _pass(case: Case, encoder: str, images: torch.Tensor) -> Figures:
    """Read and encode all images once; workers are up before the clock starts."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = cx.data.TensorDataModule(
        images,
        torch.zeros(len(images), dtype=torch.int64),
        test=0,
        validation=0,
        encoder=ENCODERS[encoder](dtype=case.dtype),
        encode_on="device" if case.place == "device" else "worker",
        batch_size=BATCH,
        num_workers=case.workers,
    )
    loader = data.train_dataloader()
    if case.workers:
        for _ in loader:  # workers persist: they start, and read a first pass, before the clock does
            break
    read = made = 0
    begin = time.perf_counter()
    for x, labels in loader:
        spikes, _ = data.on_after_batch_transfer((x.to(device), labels), 0)
        read, made = read + x.nbytes, made + spikes.nbytes
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds = time.perf_counter() - begin
    count = len(images)
    return Figures(seconds=seconds, images_per_second=count / seconds, bytes_read=read / count, bytes_made=made / count)


def measure(
    encoders: Sequence[str], *, images: int, rounds: int, root: Path, seed: int
) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """Yield the name of each encoder with the figures of every case, the fastest of some turns.

    Args:
        encoders: Which.
        images: How many images [1].
        rounds: Turns that each case takes [1].
        root: Folder of MNIST.
        seed: Seed of everything random [1].
    """
    torch.manual_seed(seed)
    pictures = _images(root, images)
    with Progress(transient=True) as progress:
        for encoder in encoders:
            bar = progress.add_task(encoder, total=rounds * len(CASES))
            best: dict[str, Figures] = {}
            for _ in range(rounds):
                for case in CASES:
                    figures = _pass(case, encoder, pictures)
                    if case.name not in best or figures.seconds < best[case.name].seconds:
                        best[case.name] = figures
                    progress.advance(bar)
            yield encoder, {name: asdict(figures) for name, figures in best.items()}


def waiting(*, options: Sequence[str] = ()) -> dict[str, Any]:
    """Train ``tasks.classify`` for an epoch and return the shares of its time that input took.

    Args:
        options: Of its command line.
    """
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "tasks.classify", "--epochs", "1", "--out", out, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Expected tasks.classify to run, got:\n{done.stderr[-2000:]}")
        return json.loads((Path(out) / "report.json").read_text())["input"]


def show(report: dict[str, Any], *, images: int) -> None:
    """Print tables of what was measured.

    Args:
        report: Figures of each case, by encoder, and under ``waiting`` the shares of each training.
        images: How many images were encoded [1].
    """
    table = Table(title=f"{images} images of 28 x 28 pixels to {TIME} steps, batches of {BATCH}")
    for column in ("encoded", "s", "images / s", "GB read", "GB of spikes"):
        table.add_column(column, justify="left" if column == "encoded" else "right")
    for encoder in ENCODERS:
        if encoder not in report:
            continue
        table.add_row(f"[bold]{encoder}[/]")
        for name, f in report[encoder].items():
            gigabytes = (f"{f[key] * images / 1e9:.2f}" for key in ("bytes_read", "bytes_made"))
            table.add_row("  " + name, f"{f['seconds']:.2f}", f"{f['images_per_second']:.0f}", *gigabytes)
        table.add_section()
    Console().print(table)
    shares = Table(title="tasks.classify, one epoch: what part of its time input takes")
    for column in ("", "waiting for a batch", "moving and encoding it"):
        shares.add_column(column, justify="right" if column else "left")
    for name, share in report.get("waiting", {}).items():
        shares.add_row(name, f"{share['waiting']:.1%}", f"{share['encoding']:.1%}")
    Console().print(shares)

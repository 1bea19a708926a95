"""Where the column runs, and what there is to say of a GPU."""

import csv
import shutil
import subprocess

import torch

__all__ = ["check_device", "gpu_figures"]

_FIGURES = ("name", "driver_version", "memory.total", "memory.used", "utilization.gpu", "power.draw", "clocks.sm")


def check_device(device: str) -> None:
    """Raise where there is no such device.

    Args:
        device: ``"cpu"`` or ``"cuda"``.

    Raises:
        ValueError: There is none.

    Example:
        >>> check_device("cpu")
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "Expected `device` to be there, got 'cuda' where torch sees no GPU. Take `--device cpu`, or a build of "
            "torch for CUDA on a machine with a GPU."
        )


def gpu_figures() -> dict[str, str]:
    """Return what ``nvidia-smi`` says of the GPU, and the most memory that torch has taken there.

    Returns:
        Figures with their units, by name; those of ``nvidia-smi`` only where there is one.
    """
    found = {"torch.peak_memory": f"{torch.cuda.max_memory_allocated() / 2**20:.0f} MiB"}
    program = shutil.which("nvidia-smi")
    if program is None:
        return found
    asked = [program, f"--query-gpu={','.join(_FIGURES)}", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    rows = list(csv.reader(done.stdout.splitlines(), skipinitialspace=True))
    place = torch.cuda.current_device()
    return found if place >= len(rows) else dict(zip(_FIGURES, rows[place], strict=True)) | found

"""What every test has, the doctests of `conex_nn/` and `README.md` included (loaded by `-p tests.plugin`)."""

import functools
import gc
import importlib.util
import os
import sys
from pathlib import Path

import pytest
from _pytest.doctest import DoctestItem

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is there to read it: the workers share the machine
    os.environ["OMP_NUM_THREADS"] = "1"

# Tests start Python dozens of times. Where its bytecode is not kept, each compiles torch's sources first: five seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave the Triton kernels alone where there is no Triton."""
    triton = importlib.util.find_spec("triton") is not None
    return True if collection_path.parts[-2:] == ("kernels", "gpu") and not triton else None


@functools.cache
def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def seed(request: pytest.FixtureRequest) -> None:
    """Seed torch. A docstring's example also knows `torch`; the README imports what it uses."""
    import torch  # not above: the process that hands the tests to the workers has no need of it

    torch.default_generator.manual_seed(0)  # `torch.manual_seed` notes its stack for each kind of device: a millisecond
    if _has_gpu():
        torch.cuda.manual_seed_all(0)
    if isinstance(request.node, DoctestItem) and request.node.path.suffix == ".py":
        request.node.dtest.globs.setdefault("torch", torch)


def pytest_collection_finish() -> None:
    """Let Python no longer look through all that is there by now for garbage: half a second each time."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let all that was there be garbage again, before libraries count what they think has leaked."""
    gc.unfreeze()

"""What every test has, the doctests of `conex_nn/` and `README.md` included (loaded by `-p tests.plugin`)."""

import pytest
import torch
from _pytest.doctest import DoctestItem


@pytest.fixture(autouse=True)
def seed(request: pytest.FixtureRequest) -> None:
    """Seed torch. A docstring's example also knows `torch`; the README imports what it uses."""
    torch.manual_seed(0)
    if isinstance(request.node, DoctestItem) and request.node.path.suffix == ".py":
        request.node.dtest.globs.setdefault("torch", torch)

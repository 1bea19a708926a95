"""Fixtures of the tests. What the doctests share with them is in `tests/plugin.py`."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the real data sets, beside the repository; skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no data sets in {DATA}")
    return DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))

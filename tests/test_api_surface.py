"""The public names stay what they are: removing or adding one is a decision, recorded in `api_surface.json`.

Regenerate with `uv run python -m tests.test_api_surface`.
"""

import importlib
import json
import pkgutil
from pathlib import Path
from types import ModuleType

RECORD = Path(__file__).with_name("api_surface.json")
REMEDY = "If that is intended, run `uv run python -m tests.test_api_surface` and commit tests/api_surface.json."

Surface = dict[str, list[str]]


def public_modules() -> list[ModuleType]:
    """The package, its parts, and the packages within them, where they say what is public."""
    root = importlib.import_module("conex_nn")
    found = [root]
    for info in pkgutil.walk_packages(root.__path__, "conex_nn.", onerror=_raise):
        if info.ispkg or info.name.count(".") == 1:
            found.append(importlib.import_module(info.name))
    return [module for module in found if hasattr(module, "__all__")]


def _raise(name: str) -> None:
    raise ImportError(f"Expected {name} to be importable.")


def surface() -> Surface:
    """The public names of each public module."""
    return {module.__name__: sorted(module.__all__) for module in public_modules()}


def differences(recorded: Surface, actual: Surface) -> list[str]:
    """The names removed and added, one per line."""
    before = {f"{module}.{name}" for module, names in recorded.items() for name in names}
    after = {f"{module}.{name}" for module, names in actual.items() for name in names}
    return [f"removed: {name}" for name in sorted(before - after)] + [
        f"added: {name}" for name in sorted(after - before)
    ]


def test_public_names_are_the_recorded_ones():
    found = differences(json.loads(RECORD.read_text()), surface())
    assert not found, "\n".join([*found, REMEDY])


def test_every_public_name_exists_once():
    for module in public_modules():
        assert len(set(module.__all__)) == len(module.__all__), f"{module.__name__}.__all__ repeats a name"
        assert [name for name in module.__all__ if not hasattr(module, name)] == [], module.__name__


def test_a_removed_and_an_added_name_are_found():
    recorded = {"conex_nn": ["LIF", "STDP"]}
    assert differences(recorded, {"conex_nn": ["LIF"]}) == ["removed: conex_nn.STDP"]
    assert differences(recorded, {"conex_nn": ["LIF", "Poisson", "STDP"]}) == ["added: conex_nn.Poisson"]
    assert differences(recorded, recorded) == []


if __name__ == "__main__":
    RECORD.write_text(json.dumps(surface(), indent=2) + "\n")

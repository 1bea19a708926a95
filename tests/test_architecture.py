"""Imports point only downwards, as DESIGN says (section 2); the syntax tree shows those inside functions too."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the bottom up; parts of one row do not see each other.
ORDER = [
    {"durations", "functional", "memory", "parameters"},
    {"surrogate"},
    {"kernels"},
    {"kept", "scan"},
    {"neurons", "dendrites", "synapses", "rates"},
    {"plasticity"},
    {"structure", "sequential"},
    {"bridge", "recording"},
    {"training"},
]
BELOW = {part: set().union(*ORDER[:rank]) for rank, row in enumerate(ORDER) for part in row}
BESIDE = {
    "encoders": {"functional"},
    "data": {"functional", "encoders"},
    "plots": {"recording"},
}  # its analyses, plain functions on tensors
MAY_SEE = {**BELOW, **BESIDE}
# The report at the end of a test draws pictures, which it imports when it draws them.
MAY_SEE["training"] = MAY_SEE["training"] | {"plots"}
MAY_SEE["testing"] = set(MAY_SEE) - {"training"}

ONLY_IN = {
    "lightning": {"training", "data"},
    "lightning_fabric": {"training", "data"},
    "pytorch_lightning": {"training", "data"},
    "matplotlib": {"plots"},
}
# What tasks may see of each other: what they share, and the networks that the benchmark measures.
SHARED = (["command_line"], ["first_spikes"], ["balanced"], ["microcircuit"])
VAGUE = {"utils", "misc", "helpers", "common", "specs", "base"}
MAX_LINES = 400


def imported(source: str, path: Path) -> list[str]:
    """The absolute dotted names of all that a file imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.parts[: len(path.parts) - node.level] if node.level else ()
            module = ".".join([*package, *([node.module] if node.module else [])])
            names += [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
            names += [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return names


def violations(path: Path, source: str) -> list[str]:
    """What is wrong with one file; `path` is relative to the repository."""
    problems = []
    top = path.parts[0]
    if path.stem in VAGUE or VAGUE.intersection(path.parts[:-1]):
        problems.append("a name that says nothing: call the file after the one concept it holds")
    if (lines := source.count("\n")) > MAX_LINES:
        problems.append(f"{lines} lines, at most {MAX_LINES}: split it by concept")
    if top == "tests":
        return [f"{path}: {problem}" for problem in problems]

    # The package's own __init__ re-exports every part.
    part = Path(path.parts[1]).stem if top == "conex_nn" and path != Path("conex_nn/__init__.py") else None
    if part and part not in MAY_SEE:
        problems.append(f"`{part}` is not on the map: give it a row in ORDER or BESIDE")
    for name in imported(source, path):
        first, *rest = name.split(".")
        own = top == "tasks" and len(path.parts) > 2 and rest[:1] == [path.parts[1]]  # a task that is a folder
        if first == "tasks" and not own and not (top == "tasks" and rest[:1] in SHARED):
            problems.append(f"imports {name}: nothing imports tasks")
        if top == "tasks" and first == "conex_nn" and len(rest) > 2:
            problems.append(f"imports {name}: tasks use public names, from conex_nn or conex_nn.<part>")
        if top == "conex_nn" and first in ONLY_IN and part not in ONLY_IN[first]:
            problems.append(f"imports {name}: only {' and '.join(sorted(ONLY_IN[first]))} may")
        if part in MAY_SEE and first == "conex_nn":
            target = rest[0] if rest else "__init__"
            if target not in MAY_SEE:
                problems.append(f"imports {name} through the package's root: import it from its part")
            elif target != part and target not in MAY_SEE[part]:
                problems.append(f"imports {name}: {part} may see {', '.join(sorted(MAY_SEE[part])) or 'no other part'}")
    return [f"{path}: {problem}" for problem in problems]


@pytest.mark.parametrize("top", ["conex_nn", "tasks", "tests"])
def test_the_tree_follows_the_design(top):
    files = [path.relative_to(ROOT) for path in sorted((ROOT / top).rglob("*.py"))]
    assert not [problem for path in files for problem in violations(path, (ROOT / path).read_text())]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("conex_nn/functional/lif.py", "from conex_nn.neurons import LIF"),
        ("conex_nn/functional/lif.py", "def f():\n    import conex_nn.scan"),
        ("conex_nn/functional/lif.py", "from ..neurons.lif import LIF"),
        ("conex_nn/functional/lif.py", "from .. import neurons"),
        ("conex_nn/functional/__init__.py", "from ..neurons import LIF"),
        ("conex_nn/scan.py", "from .training import SpikingClassifier"),
        ("conex_nn/kernels/lif.py", "import importlib\nimportlib.import_module('conex_nn.scan')"),
        ("conex_nn/neurons/lif.py", "from conex_nn.synapses import Dense"),
        ("conex_nn/neurons/lif.py", "from conex_nn import Dense"),
        ("conex_nn/neurons/lif.py", "import conex_nn as cx"),
        ("conex_nn/structure/graph.py", "from conex_nn.sequential import Sequential"),
        ("conex_nn/encoders/poisson.py", "from conex_nn.surrogate import atan"),
        ("conex_nn/data/mnist.py", "from conex_nn.structure import Neocortex"),
        ("conex_nn/plots/raster.py", "from conex_nn.functional import lif_step"),
        ("conex_nn/testing/battery.py", "from conex_nn.training import SpikingClassifier"),
        ("conex_nn/structure/graph.py", "def f():\n    import lightning.pytorch as pl"),
        ("conex_nn/training/report.py", "from matplotlib import pyplot"),
        ("conex_nn/__init__.py", "import matplotlib"),
        ("conex_nn/training/report.py", "from tasks.classify import main"),
        ("tasks/bench.py", "import tasks.classify"),
        ("tasks/classify.py", "from conex_nn.neurons.lif import LIF"),
        ("conex_nn/neurons/utils.py", ""),
        ("conex_nn/neurons/helpers/lif.py", ""),
        ("conex_nn/novel.py", ""),
        ("conex_nn/scan.py", "\n" * 401),
        ("tests/test_scan.py", "\n" * 401),
    ],
)
def test_a_planted_violation_is_found(path, source):
    assert len(violations(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("conex_nn/__init__.py", "from conex_nn.neurons import LIF\nfrom .training import SpikingClassifier"),
        ("conex_nn/neurons/lif.py", "from ..functional import lif_step\nfrom .noise import Noise\nimport torch"),
        ("conex_nn/sequential.py", "from conex_nn.neurons import LIF\nfrom conex_nn import scan"),
        ("conex_nn/data/mnist.py", "import lightning as L\nfrom conex_nn.encoders import Poisson"),
        ("conex_nn/plots/raster.py", "import matplotlib.pyplot as plt"),
        ("conex_nn/testing/battery.py", "from conex_nn.structure import Neocortex"),
        ("tasks/classify.py", "import lightning as L\nimport conex_nn as cx\nfrom conex_nn.training import report"),
        ("conex_nn/scan.py", "\n" * 400),
    ],
)
def test_what_the_design_allows_passes(path, source):
    assert violations(Path(path), source) == []

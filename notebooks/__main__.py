"""Run the notebooks.

``python -m notebooks`` makes each ``.ipynb`` anew from the ``.py`` beside it, with what it shows. ``--check`` writes
nothing: it runs what is committed, and fails where the two of a pair differ, a cell fails, or one writes to stderr, as
warnings do. Numbers select notebooks: ``python -m notebooks 3``.
"""

import argparse
import base64
import os
import re
import sys
import time
from io import BytesIO
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
LIMIT = 300  # seconds that a cell may take, on a machine with much else to do


def scripts(folder: Path = FOLDER) -> list[Path]:
    """Return the scripts that stand for notebooks, in order."""
    return sorted(folder.glob("[0-9]*.py"))


def as_notebook(script: Path) -> NotebookNode:
    """Return the notebook of a script, without outputs: the same one each time, so that only what changed differs."""
    notebook = jupytext.read(script, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(KERNEL)
    for place, cell in enumerate(notebook.cells):
        cell.metadata = NotebookNode()
        cell.id = f"cell-{place}"
    return notebook


def unlike(script: Path) -> str | None:
    """Say where a script and the notebook beside it differ."""
    file, remedy = script.with_suffix(".ipynb"), f"Run `python -m notebooks {int(script.stem[:2])}`."
    if not file.exists():
        return f"Expected {file.name} beside {script.name}, got none. {remedy}"
    ours, theirs = (
        [(cell.cell_type, cell.source) for cell in each.cells]
        for each in (as_notebook(script), nbformat.read(file, as_version=4))
    )
    for place in range(max(len(ours), len(theirs))):
        if ours[place : place + 1] != theirs[place : place + 1]:
            return f"Expected the cells of {script.name} in {file.name}, got another cell {place}. {remedy}"
    return None


def untidy(notebook: NotebookNode) -> list[str]:
    """List what the outputs of a notebook should not show: errors, warnings, and what differs by machine and run."""
    found = []
    for place, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            text = "".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/plain", ""))
            if output.output_type == "error" or output.get("name") == "stderr":
                found.append(f"cell {place}: {''.join(output.get('text', output.get('evalue', '')))}")
            elif match := re.search(r"(?<![\w.])/(?:home|root|tmp|usr|work|Users)\b\S*|\bat 0x[0-9a-f]+", text):
                found.append(f"cell {place}: {match[0]}")
    return found


def run(notebook: NotebookNode) -> None:
    """Run all cells, and keep what they show; a cell that fails raises."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the kernel: tensors are small here, threads would wait for each other
    NotebookClient(
        notebook, timeout=LIMIT, kernel_name="python3", record_timing=False, resources={"metadata": {"path": FOLDER}}
    ).execute()


def shrink(notebook: NotebookNode) -> None:
    """Give pictures a palette: half of the bytes, and no difference to the eye."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                picture = Image.open(BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB")
                file = BytesIO()
                picture.quantize(256, kmeans=1, dither=Image.Dither.NONE).save(file, format="png", optimize=True)
                output.data["image/png"] = base64.b64encode(file.getvalue()).decode() + "\n"


def main() -> int:
    """Run the notebooks, and say how long each took."""
    parser = argparse.ArgumentParser(prog="python -m notebooks", description=__doc__)
    parser.add_argument("numbers", nargs="*", type=int, help="which notebooks; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing, and run what is committed")
    given = parser.parse_args()
    failed, begin = 0, time.perf_counter()
    for script in scripts():
        if given.numbers and int(script.stem[:2]) not in given.numbers:
            continue
        start, file = time.perf_counter(), script.with_suffix(".ipynb")
        problem = unlike(script) if given.check else None
        if problem is None:
            notebook = nbformat.read(file, as_version=4) if given.check else as_notebook(script)
            run(notebook)
            problem = "\n".join(untidy(notebook))
            if not given.check:
                shrink(notebook)
                nbformat.write(notebook, file)
        failed += bool(problem)
        print(f"{script.stem}: {time.perf_counter() - start:.0f} s{problem and f': {problem}'}", flush=True)
    print(f"all of it: {time.perf_counter() - begin:.0f} s", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())

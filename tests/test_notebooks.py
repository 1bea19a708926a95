"""The notebooks are those of their scripts, and show nothing of the machine that ran them; CI also runs them."""

import pytest

pytest.importorskip("jupytext")
pytest.importorskip("nbclient")

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from notebooks.__main__ import FOLDER, as_notebook, scripts, unlike, untidy

LARGEST = 300_000  # bytes of a notebook, its pictures included


def test_there_are_as_many_notebooks_as_scripts():
    assert 0 < len(scripts()) <= 6
    assert [file.stem for file in sorted(FOLDER.glob("*.ipynb"))] == [script.stem for script in scripts()]


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.stem[:2])
def test_a_notebook_is_that_of_its_script_and_tidy(script):
    assert unlike(script) is None
    file = script.with_suffix(".ipynb")
    assert file.stat().st_size < LARGEST
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    assert untidy(notebook) == []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))  # run from the top, once
    pictures = [output for cell in code for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2
    assert "## Try this" in notebook.cells[-1].source


@pytest.fixture
def pair(tmp_path):
    script = tmp_path / "01_pair.py"
    script.write_text("# %% [markdown]\n# # A title\n\n# %%\nprint(1)\n")
    nbformat.write(as_notebook(script), script.with_suffix(".ipynb"))
    return script


def test_a_pair_that_agrees(pair):
    assert unlike(pair) is None


@pytest.mark.parametrize(
    "change", [("print(1)", "print(2)"), ("A title", "Another"), ("print(1)\n", "print(1)\n\n# %%\n2\n")]
)
def test_a_pair_that_differs_is_found(pair, change):
    pair.write_text(pair.read_text().replace(*change))
    assert "Expected the cells of 01_pair.py in 01_pair.ipynb, got another cell" in unlike(pair)


def test_a_notebook_that_is_missing_is_found(pair):
    pair.with_suffix(".ipynb").unlink()
    assert unlike(pair) == "Expected 01_pair.ipynb beside 01_pair.py, got none. Run `python -m notebooks 1`."


@pytest.mark.parametrize(
    "output",
    [
        new_output("stream", name="stderr", text="UserWarning: beware"),
        new_output("error", ename="ValueError", evalue="no", traceback=[]),
        new_output("stream", text="saved to /home/someone/runs"),
        new_output("execute_result", data={"text/plain": "<Thing at 0x7f12ab>"}, execution_count=1),
    ],
)
def test_what_should_not_be_shown_is_found(output):
    assert len(untidy(new_notebook(cells=[new_code_cell("1", outputs=[output])]))) == 1


def test_what_may_be_shown_passes():
    shown = [
        new_output("stream", text="12 / 100 epochs, a/b"),
        new_output("display_data", data={"image/png": "iVBORw0KGgo=", "text/plain": "<Axes: xlabel='time [ms]'>"}),
    ]
    assert untidy(new_notebook(cells=[new_code_cell("1", outputs=shown)])) == []

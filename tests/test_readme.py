"""The README keeps what it promises: its code runs as a doctest, its figures name the command that makes them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()
RESULTS = re.search(r"\n## Results\n(.*?)\n## ", TEXT, re.DOTALL)[1]  # pyright: ignore
FIGURE = re.compile(r"\d (?:%|s|ms|Hz|GB|MiB)\b|\d %")
COMMAND = re.compile(r"python -m (tasks\.[\w.]+)((?: [^`\n]*)?)")


def without_a_command(results: str) -> list[str]:
    """Paragraphs and tables with figures that neither name a command nor follow one that does, by two at most."""
    blocks = [block for block in results.split("\n\n") if block.strip()]
    return [
        block
        for place, block in enumerate(blocks)
        if FIGURE.search(block) and not any(COMMAND.search(each) for each in blocks[max(0, place - 2) : place + 1])
    ]


def sources(module: str) -> list[Path]:
    """The files of a task."""
    path = ROOT.joinpath(*module.split("."))
    return [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else sorted(path.glob("*.py"))


def test_every_figure_names_its_command():
    assert without_a_command(RESULTS) == []


def test_a_figure_without_a_command_is_found():
    assert without_a_command("It takes 3 s.") == ["It takes 3 s."]
    assert without_a_command("`python -m tasks.cortex` trains:\n\n| a | 3 s |\n\nno figure") == []
    assert without_a_command("`python -m tasks.cortex` trains\n\na\n\nb\n\nIn 3 s.") == ["In 3 s."]


@pytest.mark.parametrize(("module", "options"), sorted(set(COMMAND.findall(TEXT))))
def test_every_command_is_there_with_its_options(module, options):
    found = sources(module)
    assert found, module
    code = "\n".join(path.read_text() for path in found)
    for option in re.findall(r"--([\w-]+)", options):
        assert re.search(rf"\b{option.replace('-', '_')}\b", code), f"{module} has no option --{option}"


def test_every_link_leads_to_a_file():
    pictures = re.findall(r'src="([^"]+)"', TEXT)
    links = [link for link in [*pictures, *re.findall(r"\]\(([^)#]+)\)", TEXT)] if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_every_picture_is_made_by_a_command():
    for after in re.split(r"<img [^>]*>", TEXT)[1:]:
        caption = after.strip().partition("\n\n")[0]
        assert COMMAND.search(caption), caption


@pytest.mark.parametrize("part", ["Start", "A first network", "The models", "Map", "Names, old to new", "Results"])
def test_the_whole_picture(part):
    assert f"\n## {part}\n" in TEXT
    assert "CONTRIBUTING" in TEXT
    assert "\n## Cite\n" in TEXT


def test_rules_of_pairs_are_given_both_amounts():
    """One alone leaves the other at its default, and weights that are to learn a little vanish."""
    calls = [call for call in re.findall(r"STDP\(([^()]*)\)", TEXT) if "=" in call]
    assert len(calls) >= 2
    assert not [call for call in calls if ("a_plus" in call) != ("a_minus" in call)]

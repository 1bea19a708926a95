"""Every public function and class shows an example, and every float argument names its unit."""

import ast
import inspect
import itertools
import re
import textwrap
import typing
from collections.abc import Iterator

import pytest

from .test_api_surface import public_modules

UNIT = re.compile(r"\[(?:1|(?=[^\]]*[A-Za-zµ])[\w/^*() ·.-]+)\]")
ARGUMENT = re.compile(r"^ {4}\*{0,2}(\w+)(?: \([^)]*\))?:", re.MULTILINE)


def argument_lines(doc: str) -> dict[str, str]:
    """What a Google-style docstring's `Args` say of each argument."""
    section = re.search(r"^Args:\n((?: {4}.*\n?|\n)*)", doc, re.MULTILINE)
    _, *parts = ARGUMENT.split(section[1] if section else "")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def field_lines(cls: type) -> dict[str, str]:
    """The string below each annotated field of a class."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body  # pyright: ignore
    except (OSError, TypeError):
        return {}
    return {
        field.target.id: text.value.value
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def takes_float(annotation: object) -> bool:
    """Whether an annotation is `float`, alone or in a union."""
    return annotation is float or (
        typing.get_origin(annotation) in {typing.Union, type(int | str)}
        and any(takes_float(option) for option in typing.get_args(annotation))
    )


def float_arguments(function: object) -> list[str]:
    """The names of a callable's float arguments."""
    try:
        parameters = inspect.signature(function, eval_str=True).parameters  # pyright: ignore
    except (NameError, TypeError, ValueError):  # no signature, as of some builtins
        return []
    return [name for name, parameter in parameters.items() if takes_float(parameter.annotation)]


def problems(name: str, thing: object) -> Iterator[str]:
    """What the docstring of a public function or class lacks."""
    doc = inspect.cleandoc(thing.__doc__ or "")
    # A record of fields, such as a neuron's state, is shown in the example of what makes it.
    record = isinstance(thing, type) and issubclass(thing, tuple)
    if not doc:
        yield f"{name} has no docstring"
    elif ">>>" not in doc and not record:
        yield f"{name} has no Example section with a line that runs"
    lines = argument_lines(doc)
    if isinstance(thing, type):
        own = vars(thing).get("__init__")
        lines = {**field_lines(thing), **argument_lines(inspect.getdoc(own) or ""), **lines}
        for method, function in vars(thing).items():
            if inspect.isfunction(function) and not method.startswith("_"):
                said = argument_lines(inspect.cleandoc(function.__doc__ or ""))
                for argument in float_arguments(function):
                    if argument in said and not UNIT.search(said[argument]):
                        yield f"{name}.{method}: `{argument}` has no unit in brackets, such as [ms] or [1]"
    for argument in float_arguments(thing):
        if not UNIT.search(lines.get(argument, "")):
            yield f"{name}: `{argument}` has no Args line with a unit in brackets, such as [ms] or [1]"


def public_things() -> dict[str, object]:
    """Our own public functions and classes, each under one of its names."""
    things = {}
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            ours = (getattr(thing, "__module__", None) or "").split(".")[0] == "conex_nn"
            if ours and (inspect.isroutine(thing) or isinstance(thing, type)):
                things[id(thing)] = (f"{module.__name__}.{name}", thing)
    return dict(things.values())


def test_public_docstrings():
    found = [problem for name, thing in public_things().items() for problem in problems(name, thing)]
    assert not found, "\n".join(found)


def good(x: int, dt: float = 1.0, tau: float | int = 2.0) -> None:
    """Advance.

    Args:
        x: A count.
        dt: Length of the step, which may
            take two lines [ms].
        tau: Time constant [1/ms].

    Example:
        >>> good(1)
    """


class Record(typing.NamedTuple):
    """A record of fields."""

    v: float
    """Membrane potential [mV]."""


def test_good_docstrings_pass():
    assert list(problems("good", good)) == []
    assert list(problems("Record", Record)) == []


@pytest.mark.parametrize(
    ("doc", "count"),
    [
        (None, 3),
        ("Advance.", 3),
        (good.__doc__.replace(">>>", ""), 1),
        (good.__doc__.replace("[ms]", ""), 1),
        (good.__doc__.replace("[ms]", "[0, 1]"), 1),
        (good.__doc__.replace("tau:", "tao:"), 1),
    ],
)
def test_a_bad_docstring_is_found(doc, count):
    def bad(x: int, dt: float = 1.0, tau: float | None = 2.0): ...

    bad.__doc__ = doc
    assert len(list(problems("bad", bad))) == count


def test_a_method_without_a_unit_is_found():
    class Bad:
        """A model.

        Example:
            >>> Bad()
        """

        def step(self, dt: float):
            """Advance.

            Args:
                dt: Length of the step.
            """

    assert len(list(problems("Bad", Bad))) == 1
    assert len(list(problems("Bad", type("Child", (Bad,), {"__doc__": Bad.__doc__})))) == 0

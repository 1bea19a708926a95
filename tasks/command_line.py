"""How a task reads its options: a dataclass is the command line, with dashes or underscores in the names."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from jsonargparse import auto_cli

__all__ = ["parse"]

Config = TypeVar("Config", bound=Any)


def parse(config: type[Config], arguments: Sequence[str] | None = None) -> Config:
    """Make a configuration from the command line.

    Args:
        config: A dataclass with a docstring under each field.
        arguments: The words; None for those of the process.
    """
    switches = {field.name for field in dataclasses.fields(config) if field.type in (bool, bool | None)}
    words = []
    for word in sys.argv[1:] if arguments is None else arguments:
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            name = name[2:].replace("-", "_")
            if name in switches and not equals:  # a switch that is named is on
                equals, value = "=", "true"
            name = f"--{name}"
        words.append(name + equals + value)
    return cast("Config", auto_cli(config, args=words))

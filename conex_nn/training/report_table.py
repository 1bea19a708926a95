"""A report as a table to read."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

__all__ = ["table"]

# Name in the report: how to call it, how to write it.
_ROWS = {
    "accuracy": ("accuracy", "{:.2%}"),
    "accuracy/": ("accuracy of {}", "{:.2%}"),
    "top_": ("accuracy of {} guesses", "{:.2%}"),
    "f1": ("F1, mean over classes", "{:.4f}"),
    "calibration_error": ("calibration error", "{:.4f}"),
    "loss": ("loss", "{:.4f}"),
    "threshold": ("threshold of {}", "{:.4g}"),
    "latency": ("decision after", "{:.1f} ms"),
    "rate": ("firing rate of {}", "{:.1f} Hz"),
    "sparsity": ("silent neuron-steps", "{:.2%}"),
    "synaptic_operations": ("synaptic operations per sample", "{:,.0f}"),
    "parameters": ("parameters", "{:,}"),
    "samples": ("test samples", "{:,}"),
    "epochs": ("epochs of training", "{}"),
    "seconds": ("time", "{:.1f} s"),
}


def table(report: Mapping[str, Any]) -> Table:
    """Lay out a report for the terminal.

    Args:
        report: What ``report.json`` holds.

    Returns:
        A table for ``rich``.

    Example:
        >>> from rich.console import Console
        >>> Console(width=40).print(table({"accuracy": 0.975, "rate": {"1": 12.0}}))
                     Test
          accuracy             97.50%
          firing rate of 1    12.0 Hz
    """
    laid_out = Table(title="Test", title_style="bold", box=None, padding=(0, 2), show_header=False)
    laid_out.add_column(justify="left", no_wrap=True)
    laid_out.add_column(justify="right", no_wrap=True, style="bold")
    for label, text in _lines(report):
        laid_out.add_row(label, text)
    per_class = {name: share for name, share in report.get("per_class", {}).items() if share is not None}
    if per_class:
        worst = sorted(per_class, key=per_class.__getitem__)[:3]
        laid_out.add_row("hardest classes", ", ".join(f"{name} {per_class[name]:.1%}" for name in worst))
    if notes := report.get("notes"):
        laid_out.caption, laid_out.caption_justify = "\n".join(notes), "left"
    return laid_out


def _lines(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, (label, form) in _ROWS.items():
        if key in ("rate", "threshold"):  # a figure for each of several things
            found = dict(report.get(key, {}))
        else:
            found = {name.removeprefix(key): value for name, value in report.items() if _is(name, key)}
        for name, value in found.items():
            if value is not None:
                yield label.format(name), form.format(value)


def _is(name: str, key: str) -> bool:
    return name.startswith(key) if key.endswith(("_", "/")) else name == key

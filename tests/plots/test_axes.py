"""Axes of our own show themselves in a notebook, without pyplot."""

import pytest
import torch

from conex_nn import plots
from conex_nn.plots.axes import Sheet

PNG = b"\x89PNG"


@pytest.mark.parametrize("draw", [lambda: plots.raster(torch.eye(9)), lambda: plots.side_by_side(2)[1]])
def test_the_axes_at_the_end_of_a_cell_are_its_picture(draw):
    formatter = pytest.importorskip("IPython.core.formatters").PNGFormatter()
    ax = draw()
    assert formatter(ax)[:4] == PNG
    assert formatter(ax) == formatter(ax.figure)  # all that is on the sheet


def test_axes_of_the_user_are_left_to_the_user():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    ax = plots.raster(torch.eye(9), ax=figure.subplots())
    assert not hasattr(ax, "_repr_png_")


def test_parts_fill_the_sheet_row_by_row():
    parts = Sheet().parts(2, 3, sharex=True)
    assert [(part.get_subplotspec().rowspan.start, part.get_subplotspec().colspan.start) for part in parts] == [
        (row, column) for row in range(2) for column in range(3)
    ]
    assert parts[0].get_shared_x_axes().joined(parts[0], parts[3])


def test_what_a_user_draws_beside_has_our_colours():
    assert [line.get_color() for line in Sheet().parts()[0].plot(torch.rand(3, 2))] == list(plots.COLOURS[:2])


def test_a_picture_on_a_part_of_a_figure_shows_the_whole_figure():
    sheet = Sheet(figsize=(3.0, 2.0))
    ax = sheet.subfigures(1, 2)[0].subplots(subplot_kw={"axes_class": Sheet.Part})
    assert ax._repr_png_() == sheet._repr_png_()

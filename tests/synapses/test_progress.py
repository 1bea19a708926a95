"""The bar that shows how far the drawing of edges is."""

import io

import pytest
import torch

from conex_nn.kernels import draw
from conex_nn.synapses import Normal, Sparse, Uniform, distribution
from conex_nn.synapses import progress as module


class Screen:
    """A console that a person looks at, or not."""

    def __init__(self, monkeypatch, terminal=True):
        self.text = io.StringIO()
        from rich import console

        make = console.Console
        monkeypatch.setattr(
            console, "Console", lambda **_: make(file=self.text, force_terminal=terminal, width=100, color_system=None)
        )


def test_it_is_shown_when_it_takes_long(monkeypatch):
    screen = Screen(monkeypatch)
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    monkeypatch.setattr(draw, "_SLAB", 500)
    monkeypatch.setattr(distribution, "_PIECE", 700)
    Sparse(300, 200, number=2000, weight=Normal(1.0, 0.1), delay=Uniform(1, 4))
    assert "Drawing edges 300 -> 200" in screen.text.getvalue()


@pytest.mark.parametrize(("patience", "terminal"), [(60.0, True), (0.0, False)])
def test_it_is_not_shown_when_it_is_quick_or_nobody_looks(patience, terminal, monkeypatch):
    screen = Screen(monkeypatch, terminal)
    monkeypatch.setattr(module, "_PATIENCE", patience)
    monkeypatch.setattr(draw, "_SLAB", 500)
    Sparse(300, 200, number=2000)
    assert not screen.text.getvalue().strip()


def test_all_that_is_drawn_is_counted_and_the_bar_taken_away(monkeypatch):
    seen = []

    class Counted(module.Progress):
        def __exit__(self, *_):
            seen.append((self.done, self.total))

    monkeypatch.setattr("conex_nn.synapses.sparse.Progress", Counted)
    drawn = {"weight": Normal(1.0, 0.1), "delay": Uniform(1, 4)}
    Sparse(300, 200, number=2000, multapses=True, **drawn)
    Sparse(300, 200, in_degree=7, weight=0.5)
    Sparse(300, 200, edges=([0], [1]))
    with pytest.raises(ValueError, match="delay"):
        Sparse(300, 200, number=100, delay=Normal(0.0, 5.0))
    assert seen == [(6000, 6000), (1400, 1400), (0, 0), (100, 200)]


def test_slabs_change_nothing(monkeypatch):
    made = []
    for slab in (1 << 24, 100):
        monkeypatch.setattr(draw, "_SLAB", slab)
        options = {"multapses": True, "self_connections": False, "generator": torch.Generator().manual_seed(4)}
        made.append(Sparse(300, 300, number=5000, **options))
    assert torch.equal(made[0].target, made[1].target)

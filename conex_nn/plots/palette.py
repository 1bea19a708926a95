"""Colours that colour-blind readers tell apart."""

__all__ = ["COLOURS"]

# Okabe and Ito, Color Universal Design (2008), with the yellow left out: it is too pale for thin marks.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")

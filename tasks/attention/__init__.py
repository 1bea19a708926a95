"""Find a digit and name it, from one look after another: what and where, trained by surrogate gradient.

A scene is a grid of cells. One holds a digit, of which a part is hidden; the others hold clutter, digits whose blocks
were shuffled. The eye visits each cell once, in an order of chance, and sees nothing else of the scene: a sensory
population gets what is in the cell, a location population gets which cell it is. A ventral path learns what was there,
in whichever cell; a dorsal path learns where, whatever it was: its cells fire where a place and something like a digit
come together, and they call the ventral path's attention to it by its apical dendrites. ``python -m tasks.attention``
takes scikit-learn's handwritten digits; ``--data mnist`` and ``--data fashion_mnist`` the larger sets.

The epoch is chosen by the loss of both on the validation part; the test part is looked at once.
"""

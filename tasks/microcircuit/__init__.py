"""A cortical column of real size, 77 169 cells and 299 million synapses: Potjans and Diesmann's microcircuit (2014).

Layers 2/3, 4, 5 and 6, each of excitatory and inhibitory cells, which nobody tuned: numbers of cells, of synapses and
of what comes from outside are from anatomy, and cells fire at the low, irregular rates that are found in animals.
``python -m tasks.microcircuit --scale 1.0`` runs all of it, ``--scale 0.1`` a tenth whose cells get a tenth of the
synapses, so much stronger that rates stay what they are. ``--thalamus 200`` lets thalamic cells fire for 10 ms.
``--train 20`` takes a small column and trains it by surrogate gradient to the published rates.
"""

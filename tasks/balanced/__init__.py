"""Networks in which excitation and inhibition balance each other: Brunel's four regimes, CUBA and COBA.

Brunel's cells are joined by delta synapses: a spike lifts or lowers the potential at once. How strong inhibition is,
and how much comes from outside, decides whether they fire together or each by itself, regularly or not. The cells of
the benchmarks are joined by currents that decay (CUBA) or conductances that do (COBA), which keep them going without
anything from outside. ``python -m tasks.balanced`` shows the regimes beside what NEST makes of the same numbers, and
COBA beside Brian2.
"""

"""One-to-one synapses; their products are in test_synapse.py."""

import pytest

from conex_nn.synapses import OneToOne


def test_unequal_numbers_of_neurons():
    with pytest.raises(ValueError, match=r"with as many neurons, got \(2, 3\) \(6\) and \(5,\) \(5\)"):
        OneToOne((2, 3), 5)

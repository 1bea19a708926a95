"""The numbers of tasks.microcircuit: those published, and what is kept at smaller scales."""

import pytest
import torch

from tasks.microcircuit.circuit import PUBLISHED_RATES, circuit

RATES = torch.tensor(list(PUBLISHED_RATES["PD14 package 2026"].values()), dtype=torch.float64)


def test_numbers_are_those_published():
    full = circuit()
    assert sum(full.neurons) == 77169
    assert full.neurons[4] == 4850
    assert int(full.synapses.sum()) == 298_880_970
    assert full.synapses[0, 5] == 0
    torch.testing.assert_close(full.weight[1, :2], torch.tensor([0.0878, 0.3512], dtype=torch.float64))
    assert float(full.weight[0, 2]) == pytest.approx(2 * 0.0878)
    assert full.delay == (1.5, 0.75) * 4
    assert not full.background_rate.any()
    assert float(full.current[0]) == pytest.approx(1600 * 8.0 * 0.0878 * 0.5 / 1000)  # 562 pA
    assert circuit(drive="poisson").background_rate.tolist() == [
        8.0 * n for n in (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)
    ]
    assert not circuit(drive="poisson").current.any()


def test_a_pair_is_connected_as_often_as_published():
    full = circuit()
    pairs = torch.tensor(full.neurons, dtype=torch.float64)
    unconnected = torch.exp(full.synapses * torch.log1p(-1 / (pairs[:, None] * pairs)))
    assert float(1 - unconnected[0, 0]) == pytest.approx(0.1009, abs=1e-6)
    assert float(1 - unconnected[4, 5]) == pytest.approx(0.3726, abs=1e-6)
    assert float(1 - unconnected[7, 4]) == pytest.approx(0.0277, abs=1e-6)


def moments(found, rates=RATES):
    """Return mean and variance of the synaptic current of a cell of each population, at the published rates."""
    sign = torch.tensor([-1.0 if found.inhibitory(name) else 1.0 for name in found.names], dtype=torch.float64)
    per_cell = found.synapses.double() / torch.tensor(found.neurons, dtype=torch.float64)[:, None]
    outside = found.background_rate * found.background_weight
    mean = 0.5 / 1000 * ((per_cell * sign * found.weight) @ rates + outside) + found.current
    variance = (per_cell * found.weight**2) @ rates + outside * found.background_weight
    return mean, variance


@pytest.mark.parametrize("drive", ["dc", "poisson"])
@pytest.mark.parametrize("scale", [0.2, 0.5])
def test_what_reaches_a_cell_is_the_same_at_every_scale(scale, drive):
    for part, whole in zip(moments(circuit(scale, drive=drive)), moments(circuit(drive=drive)), strict=True):
        torch.testing.assert_close(part, whole, rtol=1e-3, atol=1e-3)


def test_cells_and_their_synapses_shrink_alike():
    full, part = circuit(), circuit(0.1, background=1.1)
    assert sum(part.neurons) == 7717
    assert int(part.synapses.sum()) == pytest.approx(int(full.synapses.sum()) / 100, rel=1e-5)
    assert part.thalamus.neurons == 90
    assert int(part.thalamus.synapses[2]) == pytest.approx(int(full.thalamus.synapses[2]) / 100, rel=1e-3)


def test_background_is_a_factor_of_what_comes_from_outside():
    more, plain = circuit(0.3, background=1.5), circuit(0.3)
    torch.testing.assert_close(more.current - plain.current, 0.5 * circuit().current)
    more, plain = (circuit(0.3, drive="poisson", background=factor) for factor in (1.5, 1.0))
    torch.testing.assert_close(more.background_rate, 1.5 * plain.background_rate)
    torch.testing.assert_close(more.current, plain.current)


def test_the_mean_of_what_other_layers_send_stays():
    whole = circuit(0.3, drive="poisson")
    part = whole.only("l4", "l6")
    assert part.names == ("l4.exc", "l4.inh", "l6.exc", "l6.inh")
    assert part.neurons == tuple(whole.neurons[i] for i in (2, 3, 6, 7))
    assert part.first_potential == tuple(whole.first_potential[i] for i in (2, 3, 6, 7))
    assert torch.equal(part.thalamus.synapses, whole.thalamus.synapses[[2, 3, 6, 7]])
    rates = RATES[[2, 3, 6, 7]]
    torch.testing.assert_close(moments(part, rates)[0], moments(whole)[0][[2, 3, 6, 7]])
    assert whole.only("l23", "l4", "l5", "l6").current.equal(whole.current)
    with pytest.raises(ValueError, match="`layers` to be among l23, l4, l5, l6, got l1"):
        whole.only("l1")
    with pytest.raises(ValueError, match="`layers` to be among l23, l4, l5, l6, got none"):
        whole.only()


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"`scale` to be above 0 and up to 1 \[1\], got 1.5"):
        circuit(1.5)
    with pytest.raises(ValueError, match=r"`background` to be at least 0 \[1\], got -1"):
        circuit(background=-1)
    with pytest.raises(ValueError, match=r"above 0.375 nA .* at most 0.366 nA at scale 0.1: .*Poisson"):
        circuit(0.1)

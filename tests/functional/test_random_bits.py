"""Random bits that are a function of seed, step, sample and neuron."""

import torch

from conex_nn.functional import random_bits

STEPS, NEURONS = 512, 1024
N = STEPS * NEURONS


def bits(seed=7, step=0, sample=0, neuron=0):
    steps, neurons = torch.arange(STEPS)[:, None], torch.arange(NEURONS)
    return random_bits(torch.tensor(seed), steps + step, torch.tensor(sample), neurons + neuron)


def _reference_finish(x):
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) % 2**32
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) % 2**32
    return x ^ (x >> 16)


def _reference_bits(seed, step, sample, neuron):
    """The same with Python's whole numbers, which do not wrap."""

    def stir(state, number):
        return _reference_finish((state + number * 0x9E3779B9) % 2**32)

    low, high = seed % 2**32, seed // 2**32
    one = stir(stir(stir(low, high), step), sample)
    other = stir(stir(stir(high ^ 0x85EBCA77, low), sample), step)
    return _reference_finish(stir(one, neuron) ^ other)


def test_it_is_arithmetic_modulo_2_to_the_32():
    cases = [(0, 0, 0, 0), (7, 1, 2, 3), (2**63 - 1, 2**31, 5, 77168), (2**40 + 3, 10**6, 2**20, 2**31)]
    for case in cases:
        found = random_bits(*(torch.tensor(number) for number in case))
        assert int(found) == _reference_bits(*case)


def test_any_part_of_them_is_the_same():
    whole = bits()
    assert torch.equal(bits(step=100)[:-100], whole[100:])
    assert torch.equal(bits(neuron=50)[:, :-50], whole[:, 50:])


def test_they_are_uniform():
    found = bits()
    assert found.min() >= 0
    assert found.max() < 2**32
    for shift in (0, 12, 24):  # chi-squared of 255 degrees of freedom: 255 +- 22.6
        counts = ((found >> shift) & 255).flatten().bincount(minlength=256).double()
        assert abs((counts - N / 256).square().sum() / (N / 256) - 255) < 5 * 22.6


def test_neighbours_of_every_kind_are_independent():
    first = bits()
    others = [bits(seed=6), bits(seed=7 + 2**40), bits(step=1), bits(sample=1), bits(sample=2**16), bits(neuron=1)]
    for other in others:
        differ = torch.stack([((first ^ other) >> k & 1).double().mean() for k in range(32)])
        assert ((differ - 0.5).abs() < 5 * 0.5 / N**0.5).all()
        assert abs(torch.corrcoef(torch.stack([first.flatten(), other.flatten()]).double())[0, 1]) < 5 / N**0.5


def test_steps_and_samples_are_not_mistaken_for_each_other():
    number = torch.arange(64)
    seed, neuron = torch.tensor(0), torch.arange(64)[:, None, None]
    square = random_bits(seed, number[:, None], number, neuron)
    assert len(square.unique()) > square.numel() - 64  # a few pairs agree by chance


def test_no_two_neurons_go_together():
    found = bits()[:, :200].double()
    together = torch.corrcoef(found.T) - torch.eye(200)
    assert together.abs().max() < 5.5 / STEPS**0.5

import pytest
import torch
from torch.testing import assert_close

from conex_nn.data import LabelledImages, stratified_order
from conex_nn.data.splitting import cut, sample_count

LABELS = torch.tensor([0] * 60 + [1] * 30 + [3] * 10)[torch.randperm(100, generator=torch.Generator().manual_seed(0))]


def test_the_order_is_a_permutation():
    assert_close(stratified_order(LABELS, seed=3).sort().values, torch.arange(100))


@pytest.mark.parametrize("start", [0, 10, 55])
@pytest.mark.parametrize("length", [10, 20, 45])
def test_every_stretch_holds_the_classes_in_proportion(start, length):
    stretch = LABELS[stratified_order(LABELS, seed=3)][start : start + length]
    expected = torch.bincount(LABELS) * length / 100
    assert bool(((stretch.bincount(minlength=4) - expected).abs() <= 1).all())


def test_the_seed_alone_decides():
    order = stratified_order(LABELS, seed=3)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert_close(stratified_order(LABELS, seed=3), order)
    assert_close(torch.get_rng_state(), before)
    assert not torch.equal(stratified_order(LABELS, seed=4), order)


def test_samples_of_a_class_are_shuffled():
    firsts = {int(stratified_order(torch.zeros(20, dtype=torch.int64), seed=seed)[0]) for seed in range(20)}
    assert len(firsts) > 5


def test_parts_are_disjoint_and_complete():
    data = LabelledImages(torch.rand(100, 2), LABELS)
    parts = cut(data, 20, 30, seed=0)
    assert [len(part) for part in parts] == [20, 30, 50]
    assert sorted(index for part in parts for index in part.indices) == list(range(100))


@pytest.mark.parametrize("sizes", [(100,), (60, 50)])
def test_something_is_left_to_train_on(sizes):
    with pytest.raises(ValueError, match=f"to leave samples to train on, got {sum(sizes)} of 100"):
        cut(LabelledImages(torch.rand(100, 2), LABELS), *sizes, seed=0)


@pytest.mark.parametrize(("size", "count"), [(0, 0), (5, 5), (0.0, 0), (0.25, 50), (0.999, 200)])
def test_counts_and_fractions(size, count):
    assert sample_count("test", size, total=200) == count


@pytest.mark.parametrize("size", [1.0, 1.5, -0.1, float("nan")])
def test_a_fraction_is_below_1(size):
    with pytest.raises(ValueError, match="Expected `test` to be a fraction in \\[0, 1\\) if it is a float, got"):
        sample_count("test", size, total=200)


def test_a_count_is_not_negative():
    with pytest.raises(ValueError, match="Expected `test` to be 0 or more samples, got -1"):
        sample_count("test", -1, total=200)


def test_a_size_is_a_number():
    with pytest.raises(
        TypeError, match="Expected `test` to be a number of samples \\(int\\) or a fraction \\(float\\), got"
    ):
        sample_count("test", True, total=200)

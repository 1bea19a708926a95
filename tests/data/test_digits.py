import torch
from sklearn.datasets import load_digits
from torch.testing import assert_close

from conex_nn.data import Digits


def test_the_split_is_70_10_20_and_complete():
    data = Digits()
    train, validation, test = data.splits()
    assert [len(train), len(validation), len(test)] == [1258, 180, 359]
    assert sorted(train.indices + validation.indices + test.indices) == list(range(1797))


def test_the_seed_decides_the_split():
    assert Digits(seed=1).splits().test.indices == Digits(seed=1).splits().test.indices
    assert Digits(seed=1).splits().test.indices != Digits(seed=2).splits().test.indices


def test_images_are_those_of_scikit_learn():
    whole = Digits().splits().train.dataset
    bunch = load_digits()
    assert_close(whole.images[:, 0] * 16, torch.as_tensor(bunch.images).float())
    assert_close(whole.labels, torch.as_tensor(bunch.target))


def test_what_is_known_before_setup():
    data = Digits()
    x, _ = data.splits().train[0]
    assert data.feature_shape == tuple(x.shape) == (1, 8, 8)
    assert data.num_classes == len(data.class_names) == 10

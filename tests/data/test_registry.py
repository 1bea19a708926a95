import pytest
import torch

from conex_nn.data import MNIST, Digits, FashionMNIST, by_name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("digits", Digits),
        ("Digits", Digits),
        ("mnist", MNIST),
        ("fashion_mnist", FashionMNIST),
        ("FashionMNIST", FashionMNIST),
    ],
)
def test_known_names(name, kind):
    assert type(by_name(name, root="/nowhere")) is kind


def test_options_are_handed_on():
    options = {"encoder": torch.neg, "encode_on": "device", "batch_size": 7, "augment": torch.abs, "num_workers": 1}
    data = by_name("digits", **options, validation=100, seed=3)
    assert {name: getattr(data, name) for name in options} == options
    assert len(data.splits().validation) == 100
    assert data.splits().validation.indices == Digits(validation=100, seed=3).splits().validation.indices


def test_an_unknown_name_lists_the_known_and_the_nearest():
    message = "Expected `name` to be one of 'digits', 'fashion_mnist', 'mnist', got 'minst'. Did you mean 'mnist'?"
    with pytest.raises(ValueError, match=message):
        by_name("minst")

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from conex_nn.data import TensorDataModule

IMAGES = torch.rand(100, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(100) % 5


def indices(data: TensorDataModule) -> list[list[int]]:
    return [part.indices for part in data.splits()]


def test_parts_are_disjoint_and_stratified():
    data = TensorDataModule(IMAGES, LABELS, test=0.2, validation=10)
    train, validation, test = indices(data)
    assert [len(train), len(validation), len(test)] == [70, 10, 20]
    assert sorted(train + validation + test) == list(range(100))
    assert LABELS[test].bincount().tolist() == [4] * 5
    assert LABELS[validation].bincount().tolist() == [2] * 5


def test_a_fraction_for_validation_is_of_what_is_left():
    assert [len(part) for part in indices(TensorDataModule(IMAGES, LABELS, test=0.5, validation=0.5))] == [25, 25, 50]


def test_the_same_seed_gives_the_same_split():
    first = indices(TensorDataModule(IMAGES, LABELS, seed=1))
    torch.manual_seed(7)
    assert indices(TensorDataModule(IMAGES, LABELS, seed=1)) == first
    assert indices(TensorDataModule(IMAGES, LABELS, seed=2)) != first


def test_a_test_set_of_its_own():
    data = TensorDataModule(IMAGES, LABELS, test=(IMAGES[:7], LABELS[:7]), validation=0.1)
    assert [len(part) for part in data.splits()] == [90, 10, 7]


def test_what_is_known_before_setup():
    data = TensorDataModule(IMAGES.reshape(100, 1, 3), LABELS)
    assert (data.num_classes, data.feature_shape, data.class_names) == (5, (1, 3), ("0", "1", "2", "3", "4"))
    assert TensorDataModule(IMAGES, LABELS, class_names=list("abcdef")).num_classes == 6


def test_numpy_arrays_are_welcome():
    data = TensorDataModule(IMAGES.double().numpy(), LABELS.numpy().astype(np.int32))
    x, labels = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert (x.dtype, labels.dtype) == (torch.float32, torch.int64)


def test_the_arguments_are_unchanged():
    images, labels = IMAGES.clone(), LABELS.clone()
    list(TensorDataModule(images, labels).train_dataloader())
    assert_close(images, IMAGES, rtol=0, atol=0)
    assert_close(labels, LABELS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"test": 60, "validation": 40},
            "Expected `validation` and `test` to leave samples to train on, got 100 of 100",
        ),
        ({"test": 101}, "to leave samples to train on"),
        ({"test": 1.5}, "Expected `test` to be a fraction in"),
        ({"validation": -1}, "Expected `validation` to be 0 or more samples, got -1"),
        ({"class_names": ["a", "b"]}, "Expected `labels` to be below 2, the number of classes, got 4."),
        ({"test": (IMAGES[:, :2], LABELS)}, r"Expected `test` to have images of the shape \(3,\), got \(2,\)."),
        ({"test": (IMAGES, LABELS + 1)}, "Expected `labels` to be below 5, the number of classes, got 5."),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TensorDataModule(IMAGES, LABELS, **options)


def test_features_of_any_range_are_scaled_by_the_training_part():
    features = IMAGES * torch.tensor([1000.0, 1e-3, 0.0]) + torch.tensor([-300.0, 5.0, 7.0])
    data = TensorDataModule(features, LABELS, test=(2 * features, LABELS), validation=0.3, scale=True)
    train = torch.stack([x for x, _ in data.splits().train])
    known = features[data.splits().train.indices]
    expected = (known - known.amin(0)) / (known.amax(0) - known.amin(0)).clamp(min=1e-12)
    assert_close(train, expected, rtol=0, atol=1e-3)  # the second feature has few digits left in float32
    assert train.amin(0).tolist() == [0, 0, 0]
    assert train.amax(0).tolist() == [1, 1, 0]  # the third is the same in all samples
    validation = torch.stack([x for x, _ in data.splits().validation])
    assert 0 <= validation.min() <= validation.max() <= 1
    assert data.splits().test.images[:, 1].min() == 1  # beyond what training has seen


def test_the_range_is_not_that_of_other_parts():
    features = IMAGES.clone()
    first = TensorDataModule(features, LABELS, scale=True)
    features[first.splits().test.indices] += 5
    second = TensorDataModule(features, LABELS, scale=True)
    for (a, _), (b, _) in zip(first.splits().train, second.splits().train, strict=True):
        assert_close(a, b, rtol=0, atol=0)


def test_what_is_not_finite_is_not_scaled():
    with pytest.raises(ValueError, match="Expected `images` to be finite, got NaN or infinity"):
        TensorDataModule(torch.full((100, 3), torch.nan), LABELS, scale=True)


def test_lengths_have_to_agree():
    with pytest.raises(ValueError, match="Expected `labels` to have one label for each of 100 samples"):
        TensorDataModule(IMAGES, LABELS[:-1])


class Pairs(torch.utils.data.Dataset):
    """A data set of pairs, such as torchvision's."""

    def __init__(self, samples, labels):
        self.samples, self.labels = samples, labels

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index], self.labels[index]


@pytest.mark.parametrize(
    "given",
    [
        (Pairs(IMAGES, LABELS), None),
        (Pairs(IMAGES.numpy(), LABELS.tolist()), None),
        (list(IMAGES), LABELS.tolist()),
        ([image.numpy() for image in IMAGES], LABELS.numpy()),
        (IMAGES.tolist(), LABELS),
    ],
    ids=["data set", "data set of arrays", "list of tensors", "list of arrays", "nested lists"],
)
def test_data_sets_and_lists_are_welcome(given):
    data, plain = TensorDataModule(*given), TensorDataModule(IMAGES, LABELS)
    assert indices(data) == indices(plain)
    for a, b in zip(data.test_dataloader(), plain.test_dataloader(), strict=True):
        assert_close([part.float() for part in a], [part.float() for part in b])


def test_a_data_set_for_the_test_part():
    data = TensorDataModule(Pairs(IMAGES, LABELS), test=Pairs(IMAGES[:7], LABELS[:7]))
    assert [len(part) for part in data.splits()] == [90, 10, 7]
    with pytest.raises(ValueError, match=r"Expected `test` to have images of the shape \(3,\)"):
        TensorDataModule(IMAGES, LABELS, test=Pairs(IMAGES[:, :2], LABELS))


def test_samples_of_unequal_shape_are_refused():
    with pytest.raises(ValueError, match=r"`images` of one shape, got \(2,\) and \(3,\).*`SeriesDataModule`"):
        TensorDataModule([IMAGES[0], IMAGES[1][:2]], [0, 1])


def test_labels_without_samples_are_refused():
    with pytest.raises(ValueError, match="Expected `labels` to have one label for each of 0 samples"):
        TensorDataModule([], LABELS)


@pytest.mark.parametrize("label", [0.7, "cat", torch.tensor(1.0), torch.tensor([1, 0]), True])
def test_a_label_that_is_no_class_is_refused(label):
    with pytest.raises(TypeError, match="Expected the label of each pair to be an integer, its class from 0, got"):
        TensorDataModule(Pairs(IMAGES[:3], [0, 1, label]))


def test_names_are_not_labels():
    with pytest.raises(TypeError, match=r"`labels` to be integers, .*got names. Number them: `class_names, labels ="):
        TensorDataModule(IMAGES, ["cat", "dog"] * 50)


def test_samples_without_labels_and_pictures_are_refused():
    with pytest.raises(ValueError, match="Expected `labels` beside samples as a ndarray, got None"):
        TensorDataModule(IMAGES.numpy())
    with pytest.raises(ValueError, match="Expected `labels`, or a data set of"):
        TensorDataModule(list(IMAGES))
    with pytest.raises(TypeError, match=r"tensors or arrays, got object.*ToImage\(\)"):
        TensorDataModule(Pairs([object()] * 3, [0, 1, 2]))

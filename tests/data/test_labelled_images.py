import re

import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader

from conex_nn.data import LabelledImages
from conex_nn.data.labelled_images import to_intensity

LABELS = torch.tensor([0, 1, 2])


def test_a_batch_is_the_samples_in_the_order_asked_for():
    data = LabelledImages(torch.rand(10, 2, 3), torch.arange(10))
    x, labels = data.__getitems__([7, 2, 2])
    assert_close(x, torch.stack([data[7][0], data[2][0], data[2][0]]), rtol=0, atol=0)
    assert labels.tolist() == [7, 2, 2]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_loader_reads_it_whole(num_workers):
    images = torch.rand(10, 3)
    data = LabelledImages(images, torch.arange(10))
    loader = DataLoader(data, batch_size=4, collate_fn=LabelledImages.collate, num_workers=num_workers)
    batches = list(loader)
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    assert_close(torch.cat([x for x, _ in batches]), images, rtol=0, atol=0)
    assert_close(torch.cat([labels for _, labels in batches]), torch.arange(10))


def test_an_index_may_count_from_the_back():
    data = LabelledImages(torch.eye(3), torch.arange(3))
    assert_close(data[-1], data[2])
    assert len(list(data)) == 3
    with pytest.raises(IndexError):
        data[-4]


def test_bytes_stay_bytes():
    data = LabelledImages(torch.full((3, 2), 255, dtype=torch.uint8), LABELS)
    assert data.__getitems__([0, 1])[0].dtype == torch.uint8


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_labels_are_ready_for_a_loss(dtype):
    assert LabelledImages(torch.rand(3, 2), LABELS.to(dtype)).labels.dtype == torch.int64


def test_bytes_become_intensities():
    every = torch.arange(256, dtype=torch.uint8)
    assert_close(to_intensity(every), torch.linspace(0, 1, 256))
    assert to_intensity(torch.rand(3, dtype=torch.float64)).dtype == torch.float32
    assert to_intensity(every, dtype=torch.float64).dtype == torch.float64


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (torch.rand(4, 2), LABELS, ValueError, "one label for each of 4 samples, got the shape (3,)"),
        (torch.rand(3, 2), LABELS[:, None], ValueError, "one label for each of 3 samples, got the shape (3, 1)"),
        (torch.rand(3, 2), LABELS - 1, ValueError, "Expected `labels` to be class indices from 0, got -1."),
        (
            torch.rand(3, 2),
            LABELS.float(),
            TypeError,
            "Expected `labels` to be integers, one class index per sample, got",
        ),
        (torch.rand(3, 2), LABELS.bool(), TypeError, "got torch.bool"),
        (torch.rand(3), LABELS, ValueError, "Expected `images` to have the shape (samples, *features), got (3,)."),
        (torch.full((3, 2), 1.5), LABELS, ValueError, "values in [0, 1], got values from 1.5 to 1.5"),
        (torch.full((3, 2), -0.5), LABELS, ValueError, "values in [0, 1], got values from -0.5 to -0.5"),
        (torch.full((3, 2), torch.nan), LABELS, ValueError, "values in [0, 1], got values from nan to nan"),
        (
            torch.zeros(3, 2, dtype=torch.int64),
            LABELS,
            TypeError,
            "floating point in [0, 1] or torch.uint8, got torch.int64",
        ),
    ],
)
def test_unsuitable_arrays_are_refused(images, labels, error, message):
    with pytest.raises(error, match=re.escape(message)):
        LabelledImages(images, labels)

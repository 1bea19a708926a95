"""MNIST and Fashion-MNIST: on a small set in their file format, and on the real files where there are any."""

import shutil
import struct
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch.testing import assert_close
from torchvision import datasets

from conex_nn.data import MNIST, FashionMNIST

BOTH = pytest.mark.parametrize("kind", [MNIST, FashionMNIST])


def write_idx_set(root: Path, name: str, *, train: int = 40, test: int = 12) -> None:
    """Write images that hold their own number, with labels 0 to 9 in turn."""
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        images = bytes(byte for i in range(count) for byte in [i] * (28 * 28))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, count, 28, 28) + images)
        labels = bytes(i % 10 for i in range(count))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, count) + labels)


@BOTH
def test_the_official_test_part_and_a_cut_for_validation(kind, tmp_path):
    write_idx_set(tmp_path, kind.__name__)
    data = kind(root=tmp_path, validation=10, batch_size=12)
    data.prepare_data()
    train, validation, test = data.splits()
    assert [len(train), len(validation), len(test)] == [30, 10, 12]
    assert sorted(train.indices + validation.indices) == list(range(40))
    x, labels = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert_close(x * 255, torch.arange(12.0).view(12, 1, 1, 1).expand(12, 1, 28, 28))
    assert_close(labels, torch.arange(12) % 10)


@BOTH
def test_the_seed_decides_what_is_for_validation(kind, tmp_path):
    write_idx_set(tmp_path, kind.__name__)
    a, b, c = (kind(root=tmp_path, validation=0.25, seed=seed).splits().validation.indices for seed in (1, 1, 2))
    assert a == b != c
    assert len(a) == 10


@BOTH
def test_what_is_known_before_anything_is_read(kind):
    data = kind(root="/nowhere")
    assert (data.num_classes, data.feature_shape) == (10, (1, 28, 28))
    assert len(set(data.class_names)) == 10


@BOTH
def test_validation_has_to_leave_something(kind, tmp_path):
    write_idx_set(tmp_path, kind.__name__)
    with pytest.raises(ValueError, match="to leave samples to train on, got 5000 of 40"):
        kind(root=tmp_path).setup()
    with pytest.raises(ValueError, match="Expected `validation` to be a fraction"):
        kind(root=tmp_path, validation=2.5)


@BOTH
def test_without_a_network_the_error_says_what_to_do(kind, tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(datasets.mnist, "download_and_extract_archive", no_network)
    with pytest.raises(RuntimeError, match="no network") as caught:
        kind(root=tmp_path).prepare_data()
    message = str(caught.value)
    mirrors = getattr(datasets, kind.__name__).mirrors
    for part in ("`root`", str(tmp_path / kind.__name__ / "raw"), "t10k-labels-idx1-ubyte.gz", *mirrors):
        assert part in message


def test_a_root_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="`root`"):
        MNIST(root=tmp_path / "file").prepare_data()


def test_fashion_has_the_names_of_torchvision():
    assert list(FashionMNIST(root="/nowhere").class_names) == datasets.FashionMNIST.classes


@pytest.mark.slow
def test_the_real_mnist(data_root, tmp_path):
    shutil.copytree(data_root / "torchvision" / "MNIST", tmp_path / "MNIST")
    data = MNIST(root=tmp_path)
    data.prepare_data()
    train, validation, test = data.splits()
    assert [len(train), len(validation), len(test)] == [55_000, 5_000, 10_000]
    pixels = train.dataset.images.float() / 255
    assert_close(pixels.mean(), torch.tensor(0.1307), atol=1e-4, rtol=0)
    assert_close(pixels.std(), torch.tensor(0.3081), atol=1e-4, rtol=0)
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]

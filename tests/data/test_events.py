"""Recordings in memory, in files, and in data modules: the same frames wherever they are made."""

from functools import partial
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.data import (
    NMNIST,
    LabelledEvents,
    RecordingsDataModule,
    collect_events,
    read_events,
    read_recording,
    write_events,
)
from conex_nn.encoders.events import (
    Events,
    FramesByCount,
    FramesByTime,
    crop_time,
    denoise,
    downsample,
    merge_polarity,
    shift_pixels,
)

SIZE = (10, 14)
COUNTS = [30 + 17 * index % 50 for index in range(20)]
LABELS = torch.arange(20) % 4


def one(index: int) -> Events:
    draw = torch.Generator().manual_seed(index)
    n = COUNTS[index]
    x, y, p = (torch.randint(0, high, (n,), generator=draw, dtype=torch.uint8) for high in (14, 10, 2))
    return Events(x, y, p, torch.randint(0, 300, (n,), generator=draw).cumsum(0).int())


def together(indices) -> Events:
    parts = [one(index) for index in indices]
    offsets = torch.tensor([0, *(len(part.t) for part in parts)]).cumsum(0)
    return Events(*(torch.cat(field) for field in zip(*(part[:4] for part in parts), strict=True)), offsets)


RECORDINGS = LabelledEvents(together(range(20)), LABELS, sensor_size=SIZE)


def same(a: Events, b: Events) -> None:
    for x, y in zip(a[:4], b[:4], strict=True):
        assert_close(x.long(), y.long())


def module(**options) -> RecordingsDataModule:
    return RecordingsDataModule(RECORDINGS, **{"batch_size": 3, "encoder": FramesByTime(SIZE, time=5), **options})


def test_recordings_alone_and_in_batches():
    same(RECORDINGS[7][0], one(7))
    assert RECORDINGS[7][0].offsets is None
    batch, labels = RECORDINGS.__getitems__([5, 0, 5, 19])
    assert batch.offsets.tolist() == np.cumsum([0, COUNTS[5], COUNTS[0], COUNTS[5], COUNTS[19]]).tolist()
    same(batch, together([5, 0, 5, 19]))
    assert labels.tolist() == [1, 0, 1, 3]


@pytest.mark.parametrize("encode_on", ["device", "worker", "setup"])
@pytest.mark.parametrize(
    "encoder", [FramesByTime(SIZE, time=5), FramesByTime(SIZE, window=1.0), FramesByCount(SIZE, count=9)]
)
def test_frames_are_the_same_wherever_they_are_made(encode_on, encoder):
    data = module(encode_on=encode_on, encoder=encoder)
    order = RecordingsDataModule(RECORDINGS).splits().test.indices
    seen = []
    for batch in data.test_dataloader():
        x, labels, *lengths = data.on_after_batch_transfer(batch, 0)
        assert bool(lengths) == (encoder.time is None)
        for row, label, length in zip(x, labels, lengths[0] if lengths else [5] * len(x), strict=True):
            assert not row[length:].any()
            seen.append((row[:length], int(label)))
    assert len(seen) == 4
    for index, (frames, label) in zip(order, seen, strict=True):
        assert_close(frames, encoder(one(index)))
        assert label == LABELS[index]


def test_workers_read_what_the_main_process_reads():
    for encode_on in ("device", "worker"):
        alone, helped = (module(encode_on=encode_on, num_workers=n) for n in (0, 2))
        assert helped.test_dataloader().persistent_workers
        batches = [
            [data.on_after_batch_transfer(batch, 0) for batch in data.test_dataloader()] for data in (alone, helped)
        ]
        assert_close(*batches)


def test_what_is_encoded_at_setup_is_encoded_once_and_stays_small():
    calls = []

    class Counting(FramesByTime):
        def forward(self, events):
            calls.append(len(events.bounds) - 1)
            return super().forward(events)

    data = module(encode_on="setup", encoder=Counting(SIZE, time=5, dtype=torch.uint8))
    for _ in range(3):
        data.setup()
        first = list(data.train_dataloader())
    assert sum(calls) == 20
    assert first[0][0].dtype == torch.uint8
    assert data.on_after_batch_transfer(first[0], 0)[0].dtype == torch.float32  # cast on the device


def test_images_may_be_encoded_once_as_well():
    images = torch.rand(20, 3)
    encoder = cx.encoders.Poisson(time=6, dtype=torch.uint8)
    data = cx.data.TensorDataModule(images, LABELS, encoder=encoder, encode_on="setup", batch_size=4)
    data.setup()
    first, second = ([batch[0] for batch in data.test_dataloader()] for _ in range(2))
    assert_close(first, second)  # drawn once
    assert first[0].shape == (4, 6, 3)
    latency = cx.encoders.Latency(time=6)
    loaders = [
        cx.data.TensorDataModule(images, LABELS, encoder=latency, encode_on=where) for where in ("setup", "device")
    ]
    kept, fresh = (data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0) for data in loaders)
    assert_close(kept, fresh)


def test_a_transform_changes_all_once():
    data = module(
        transform=lambda events: downsample(merge_polarity(denoise(events, window=3.0)), factor=2),
        sensor_size=(5, 7),
        encoder=FramesByTime((5, 7), time=2, polarities=1),
    )
    x, _ = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert x.shape == (3, 2, 1, 5, 7)
    assert 0 < x.sum() < sum(COUNTS[index] for index in data.splits().test.indices[:3])
    with pytest.raises(ValueError, match=r"`events.x` to be from 0 to 6, on a sensor of 5 x 7"):
        module(sensor_size=(5, 7))


class Watching(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen = {"train": [], "validation": []}

    def training_step(self, batch, batch_idx):
        self.seen["train"].append(batch[0])
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        self.seen["validation"].append(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def trainer(folder: Path, **options) -> L.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return L.Trainer(default_root_dir=folder, enable_checkpointing=False, **quiet, **options)


def test_training_recordings_alone_are_augmented_and_all_are_in_the_trainers_precision(tmp_path):
    gone = partial(crop_time, stop=0.5)
    model = Watching()
    data = module(augment=gone, validation=6)
    trainer(tmp_path, max_epochs=1, precision="bf16-true", num_sanity_val_steps=0).fit(model, datamodule=data)
    train, validation = (torch.cat(model.seen[part]) for part in ("train", "validation"))
    assert train.dtype == torch.bfloat16
    assert train.sum() < 5 * len(train)
    assert validation.sum() == sum(COUNTS[index] for index in data.splits().validation.indices)


def test_shifts_in_training_are_drawn_from_the_global_seed(tmp_path):
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model = Watching()
        data = module(augment=partial(shift_pixels, most=3, sensor_size=SIZE))
        trainer(tmp_path, max_epochs=1).fit(model, datamodule=data)
        found.append(torch.cat(model.seen["train"]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_classifier_scores_recordings_of_unequal_length_as_each_alone(tmp_path):
    encoder = FramesByTime(SIZE, window=1.0)
    data = module(encoder=encoder, batch_size=4)
    layers = nn.Conv2d(2, 3, 3), cx.LIF(resistance=9.0), nn.Flatten(), nn.Linear(3 * 8 * 12, 4), cx.LI()
    model = cx.training.SpikingClassifier(cx.Sequential(*layers), num_classes=4, decode=cx.training.max_membrane)
    run = trainer(tmp_path, max_epochs=1)
    run.fit(model, datamodule=data)
    (metrics,) = run.test(model, datamodule=data, verbose=False)
    scores = torch.cat(run.predict(model, datamodule=data))
    order = data.splits().test.indices
    alone = torch.cat([model(encoder(one(index))[None]) for index in order])
    assert_close(scores, alone.detach())
    assert_close(metrics["test/accuracy"], (scores.argmax(1) == LABELS[order]).float().mean().item())


def test_a_file_gives_back_what_was_written(tmp_path):
    test = LabelledEvents(together([4, 3]), torch.tensor([2, 1]), sensor_size=SIZE)
    write_events(tmp_path / "events.npz", RECORDINGS, test)
    parts = read_events(tmp_path / "events.npz")
    for before, after in zip((RECORDINGS, test), parts, strict=True):
        same(before.events, after.events)
        assert_close(before.events.offsets, after.events.offsets)
        assert_close(before.labels, after.labels)
        assert after.sensor_size == SIZE
    with np.load(tmp_path / "events.npz") as file:
        assert {name: file[name].dtype.str for name in ("x", "y", "p", "t_us")} == {
            "x": "|u1", "y": "|u1", "p": "|u1", "t_us": "<u4",
        }  # fmt: skip
        assert file["sensor_size"].tolist() == [14, 10, 2]


def test_the_file_of_nmnist_is_read_and_written_alike(data_root, tmp_path):
    train, test = read_events(data_root / "nmnist_small.npz")
    assert (len(train), len(test), train.sensor_size) == (1000, 100, (34, 34))
    write_events(tmp_path / "again.npz", train, test)
    with np.load(data_root / "nmnist_small.npz") as theirs, np.load(tmp_path / "again.npz") as ours:
        for name in ours.files:
            assert np.array_equal(theirs[name], ours[name]), name


def test_nmnist_from_its_file(data_root):
    data = NMNIST(root=data_root / "nmnist_small.npz", encoder=FramesByTime((34, 34), window=20.0, time=15))
    data.prepare_data()
    data.setup()
    parts = data.splits()
    assert [len(part) for part in parts] == [900, 100, 100]
    assert parts.test.labels[:5].tolist() == [7, 2, 1, 0, 4]  # MNIST's test set begins so
    x, _ = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert x.shape == (100, 15, 2, 34, 34)
    counts = parts.test.events.bounds.diff()
    assert 0.95 < float(x.sum() / counts.sum()) <= 1  # 300 ms hold nearly all
    assert parts[0].indices == NMNIST(root=data_root / "nmnist_small.npz").splits()[0].indices
    assert parts[0].indices != NMNIST(root=data_root / "nmnist_small.npz", seed=1).splits()[0].indices


def write_bin(path: Path, events: Events) -> None:
    """Write the five bytes of each event, as in section 2.4 of Orchard et al. (2015)."""
    x, y, p, t = (field.long() for field in events[:4])
    rows = torch.stack([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255], 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rows.to(torch.uint8).numpy().tobytes())


def test_files_of_nmnist_are_read_through_tonic(data_root, tmp_path):
    pytest.importorskip("tonic", reason="tonic is an optional extra")
    train, _ = read_events(data_root / "nmnist_small.npz")
    write_bin(tmp_path / "00001.bin", train[0][0])
    same(read_recording(tmp_path / "00001.bin"), train[0][0])


def test_the_original_of_nmnist_is_read_through_tonic(data_root, tmp_path, monkeypatch):
    tonic = pytest.importorskip("tonic", reason="tonic is an optional extra")
    monkeypatch.setattr(tonic.datasets.NMNIST, "_check_exists", lambda self: True)  # which counts 10 000 files
    given = read_events(data_root / "nmnist_small.npz")
    for part, folder in zip(given, ("Train", "Test"), strict=True):
        for index in range(30):
            events, label = part[index]
            write_bin(tmp_path / "NMNIST" / folder / str(int(label)) / f"{index:05}.bin", events)
    data = NMNIST(root=tmp_path, validation=5, encoder=FramesByTime((34, 34), time=3))
    data.prepare_data()
    data.setup()
    assert [len(part) for part in data.splits()] == [25, 5, 30]
    read = data.splits().test
    assert read.events.x.dtype == torch.uint8
    order = given[1].labels[:30].argsort(stable=True)  # folder by folder
    assert_close(read.labels, given[1].labels[:30][order])
    for place, index in enumerate(order.tolist()):
        same(read[place][0], given[1][index][0])


def test_a_recording_of_a_camera_is_read_through_tonic():
    pytest.importorskip("tonic", reason="tonic is an optional extra")
    pytest.importorskip("aedat", reason="aedat is an optional extra")
    events = read_recording(Path(__file__).with_name("recording.aedat4"))  # written by dv-processing 2.0
    index = torch.arange(50)
    same(events, Events(index % 34, 2 * index % 34, (index % 3 == 0).long(), 1_000_000 + 100 * index))


def test_a_data_set_of_tonics_is_a_data_module_in_one_line():
    tonic = pytest.importorskip("tonic", reason="tonic is an optional extra")

    class Own(tonic.Dataset):
        sensor_size = (14, 10, 2)
        classes = ("a", "b", "c", "d")
        dtype = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
        ordering = dtype.names

        def __init__(self):
            super().__init__(save_to=".")

        def __len__(self):
            return 20

        def __getitem__(self, index):
            events = one(index)
            return tonic.io.make_structured_array(*(events[place].numpy() for place in (0, 1, 3, 2))), int(
                LABELS[index]
            )

        def _check_exists(self):
            return True

    data = RecordingsDataModule(Own(), test=Own(), encoder=FramesByTime(SIZE, time=5))
    assert (data.sensor_size, data.class_names) == (SIZE, ("a", "b", "c", "d"))
    assert [len(part) for part in data.splits()] == [18, 2, 20]
    same(data.splits().test.events, together(range(20)))


def test_recordings_are_collected_in_few_bytes():
    pairs = [(one(index)._replace(x=one(index).x.long()), "ba"[index % 2]) for index in range(20)]
    found = collect_events(pairs, sensor_size=SIZE)
    assert found.labels.tolist() == [1, 0] * 10  # by the alphabet
    assert [field.dtype for field in found.events[:4]] == [torch.uint8] * 3 + [torch.int32]
    same(found.events, together(range(20)))
    late = one(0)._replace(t=one(0).t.long() + 10**15)
    assert_close(collect_events([(late, 0)], sensor_size=SIZE).events.t, late.t)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LabelledEvents(together([0, 1]), LABELS[:3], sensor_size=SIZE), "one label for each of 2 samples"),
        (lambda: LabelledEvents(together([0]), LABELS[:1], sensor_size=(10, 9)), "on a sensor of 10 x 9 pixels"),
        (
            lambda: LabelledEvents(one(0)._replace(t=one(0).t.flip(0)), LABELS[:1], sensor_size=SIZE),
            "order of time within a recording",
        ),
        (lambda: module(class_names=["a", "b"]), "`labels` to be below 2, the number of classes, got 3"),
        (lambda: module(encode_on="setup", augment=merge_polarity), '`encode_on` to be "device" when `augment`'),
        (lambda: module(validation=20), "to leave samples to train on"),
        (lambda: collect_events([], sensor_size=SIZE), "at least one recording, got none"),
        (lambda: collect_events([(one(0), 0)]), "a `sensor_size`, .height, width., as the data set says none"),
        (lambda: write_events("events.npy", RECORDINGS, RECORDINGS), r"`path` to end in .npz, got 'events.npy'"),
        (lambda: read_recording("events.dat"), r"`path` to end in .bin or .aedat4, got 'events.dat'"),
        (lambda: NMNIST(validation=-1), "`validation` to be 0 or more"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_files_that_do_not_fit_are_refused(tmp_path):
    other = LabelledEvents(one(0), LABELS[:1], sensor_size=(10, 15))
    with pytest.raises(ValueError, match="of one sensor"):
        write_events(tmp_path / "a.npz", RECORDINGS, other)
    early = LabelledEvents(one(0)._replace(t=one(0).t - 9000), LABELS[:1], sensor_size=SIZE)
    with pytest.raises(ValueError, match=r"times from 0 to 4294967295 \[µs\], got -"):
        write_events(tmp_path / "a.npz", early, early)
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="a file without y"):
        read_events(tmp_path / "b.npz")
    with pytest.raises(FileNotFoundError):
        NMNIST(root=tmp_path / "none.npz").setup()
    with pytest.raises(FileNotFoundError, match="got no file at"):
        read_recording(tmp_path / "none.bin")


def test_what_needs_tonic_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tonic", None)
    with pytest.raises(ImportError, match=r"pip install conex-nn\[events\]"):
        NMNIST(root=tmp_path).prepare_data()


def test_an_encoder_for_single_recordings_is_found_out():
    data = module(encoder=lambda events: torch.zeros(5, 2, *SIZE))
    with pytest.raises(ValueError, match=r"to map 3 recordings to \(time, 3, ...\), got \(5, 2, 10, 14\)"):
        data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)


def test_without_an_encoder_a_batch_is_events():
    data = module(encoder=None)
    events, labels = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert isinstance(events, Events)
    assert len(labels) == 3

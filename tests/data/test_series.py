"""Sequences of unequal length: in memory, in batches, in data modules, and in training."""

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, Dataset, Subset

import conex_nn as cx
from conex_nn.data import LabelledSeries, SeriesDataModule, Splits, TensorDataModule, pad_batch
from conex_nn.training import SpikingClassifier

LENGTHS = [3 + index * 7 % 5 for index in range(40)]
LABELS = torch.arange(40) % 2
SERIES = [
    torch.rand(length, 2, generator=torch.Generator().manual_seed(index)) - 0.5 for index, length in enumerate(LENGTHS)
]


def trainer(folder, **options) -> L.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return L.Trainer(default_root_dir=folder, enable_checkpointing=False, **quiet, **options)


class Pairs(Dataset):
    """What users have."""

    def __init__(self, samples, labels):
        self.samples, self.labels = samples, labels

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index], self.labels[index]


def double(x):
    return 2 * x


def twice_as_long(x):
    return x.repeat_interleave(2, 0)


def samples(data: SeriesDataModule, loader: DataLoader) -> list[tuple[torch.Tensor, int]]:
    """Each sample of a loader without its padding, as it reaches the model."""
    found = []
    for batch in loader:
        x, labels, *lengths = data.on_after_batch_transfer(batch, 0)
        lengths = lengths[0].tolist() if lengths else [x.shape[1]] * len(x)
        assert x.shape[1] == max(lengths)
        for row, length, label in zip(x, lengths, labels.tolist(), strict=True):
            assert not row[length:].any()
            found.append((row[:length], label))
    return found


def test_a_batch_is_padded_and_tells_lengths():
    data = LabelledSeries(SERIES, LABELS)
    x, labels, lengths = data.__getitems__([4, 0, 7])
    assert lengths.tolist() == [LENGTHS[4], LENGTHS[0], LENGTHS[7]]
    assert labels.tolist() == [0, 0, 1]
    for row, index in zip(x, [4, 0, 7], strict=True):
        assert_close(row[: LENGTHS[index]], SERIES[index])
        assert not row[LENGTHS[index] :].any()
    assert_close(data[7][0], SERIES[7])
    assert len(data.values) == sum(LENGTHS)  # no padding is held
    alike = data.__getitems__([0, 5])  # of one length by chance: still a batch of a ragged set
    assert alike[2].tolist() == [LENGTHS[0], LENGTHS[5]] == [3, 3]


def test_equal_lengths_need_no_mask():
    data = LabelledSeries(torch.stack([each[:3] for each in SERIES]), LABELS)
    x, _ = data.__getitems__([1, 3])
    assert_close(x, torch.stack([SERIES[1][:3], SERIES[3][:3]]))
    assert len(LabelledSeries([each[:3] for each in SERIES], LABELS).__getitems__([1])) == 2


def test_pad_batch_collates_any_data_set():
    loader = DataLoader(Pairs(SERIES, LABELS.tolist()), batch_size=40, collate_fn=pad_batch)
    x, labels, lengths = next(iter(loader))
    assert lengths.tolist() == LENGTHS
    assert_close(labels, LABELS)
    assert_close(x.sum((1, 2)), torch.stack([each.sum() for each in SERIES]))


INPUTS = {
    "list of tensors": (SERIES, LABELS),
    "list of arrays": ([each.numpy() for each in SERIES], LABELS.numpy()),
    "array of arrays": (np.array([each.numpy() for each in SERIES], dtype=object), LABELS.tolist()),
    "data set": (Pairs(SERIES, LABELS), None),
}


@pytest.mark.parametrize("name", INPUTS)
def test_whatever_users_have_is_taken(name):
    data = SeriesDataModule(*INPUTS[name], batch_size=7, seed=3)
    assert (data.num_classes, data.feature_shape) == (2, (2,))
    parts = data.splits()
    assert [len(part) for part in parts] == [29, 3, 8]
    assert sorted(index for part in parts for index in part.indices) == list(range(40))
    for part, loader in zip(parts[1:], (data.val_dataloader(), data.test_dataloader()), strict=True):
        for index, (sample, label) in zip(part.indices, samples(data, loader), strict=True):
            assert_close(sample, SERIES[index])
            assert label == LABELS[index]


def test_an_array_of_series():
    data = SeriesDataModule(np.random.default_rng(0).normal(size=(20, 5, 3)) * 9, [0, 1] * 10, test=4)
    x, _ = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert x.shape == (14, 5, 3)
    spikes = SeriesDataModule(torch.ones(20, 5, 3, dtype=torch.uint8), torch.arange(20) % 2)
    assert spikes.on_after_batch_transfer(next(iter(spikes.train_dataloader())), 0)[0].dtype == torch.float32


@pytest.mark.parametrize("test", [(SERIES[:4], LABELS[:4]), Pairs(SERIES[:4], LABELS[:4])])
def test_a_test_part_of_its_own(test):
    data = SeriesDataModule(SERIES, LABELS, test=test, validation=0)
    assert [len(part) for part in data.splits()] == [40, 0, 4]


@pytest.mark.parametrize("encode_on", ["device", "worker", "setup"])
def test_an_encoder_sees_time_first_and_padding_stays_padding(encode_on):
    data = SeriesDataModule(SERIES, LABELS, encoder=double, encode_on=encode_on, batch_size=3)
    data.setup()
    order = SeriesDataModule(SERIES, LABELS).splits().test.indices
    for index, (sample, label) in zip(order, samples(data, data.test_dataloader()), strict=True):
        assert_close(sample, 2 * SERIES[index])
        assert label == LABELS[index]


@pytest.mark.parametrize("encode_on", ["worker", "setup"])
def test_an_encoder_may_change_the_length_of_samples_alone(encode_on):
    data = SeriesDataModule(SERIES, LABELS, encoder=twice_as_long, encode_on=encode_on)
    order = SeriesDataModule(SERIES, LABELS).splits().test.indices
    for index, (sample, _) in zip(order, samples(data, data.test_dataloader()), strict=True):
        assert_close(sample, twice_as_long(SERIES[index]))


def test_workers_read_what_the_main_process_reads():
    alone, helped = (SeriesDataModule(SERIES, LABELS, batch_size=3, num_workers=n) for n in (0, 2))
    loader = helped.test_dataloader()
    assert loader.persistent_workers
    for a, b in zip(alone.test_dataloader(), loader, strict=True):
        assert_close(list(a), list(b))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SeriesDataModule(SERIES), "or a data set of .sample, label., got one of something else"),
        (lambda: SeriesDataModule(torch.zeros(4, 3, 2)), "`labels` beside samples as a Tensor, got None"),
        (lambda: SeriesDataModule(SERIES, LABELS[:9]), "one label for each of 40 samples, got the shape .9"),
        (lambda: SeriesDataModule([], LABELS), "one label for each of 0 samples, got the shape .40"),
        (lambda: SeriesDataModule([*SERIES[:-1], torch.zeros(0, 2)], LABELS), r"at least one step, got \(0, 2\) at 39"),
        (lambda: SeriesDataModule([each[:, 0] for each in SERIES], LABELS), r"got \(3,\) at 0. .*`unsqueeze\(-1\)`"),
        (lambda: SeriesDataModule([*SERIES[:-1], torch.zeros(4, 3)], LABELS), r"the features \(2,\).*got \(3,\) at 39"),
        (lambda: SeriesDataModule([], LABELS[:0]), "at least one of `series` in a list, got none"),
        (
            lambda: SeriesDataModule(SERIES, LABELS, test=(torch.zeros(4, 5, 3), LABELS[:4])),
            r"`test` to have series with the features \(2,\), got \(3,\)",
        ),
        (lambda: SeriesDataModule(SERIES, LABELS, class_names=["a"]), "`labels` to be below 1.* got 1"),
        (lambda: pad_batch([(torch.zeros(2, 1), 0), (torch.zeros(2, 3), 0)]), r"the features \(1,\)"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_encoder_that_shortens_a_padded_batch_is_found_out():
    data = SeriesDataModule(SERIES, LABELS, encoder=twice_as_long)
    with pytest.raises(ValueError, match=r'keep the number of steps of series of unequal length, 7, got 14.*"worker"'):
        data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    data = SeriesDataModule(SERIES, LABELS, encoder=lambda x: x.sum(1))
    with pytest.raises(ValueError, match=r"Expected `encoder` to map \(time, 29, ...\)"):
        data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)


def test_samples_encoded_to_unequal_lengths_without_a_mask():
    images = torch.linspace(0, 1, 20)[:, None].expand(20, 3)
    data = TensorDataModule(
        images, LABELS[:20], encoder=lambda x: x.expand(1 + int(8 * x[0]), 3), encode_on="worker", validation=0
    )
    with pytest.raises(ValueError, match=r"encoded samples of one shape, got \(\d, 3\) and \(\d, 3\).*fixed `time`"):
        next(iter(data.train_dataloader()))


@pytest.mark.parametrize("encode_on", ["device", "worker", "setup"])
def test_whole_numbers_reach_an_encoder_as_floating_numbers_wherever_it_is(encode_on):
    counts = torch.arange(40 * 6 * 2).reshape(40, 6, 2) % 7
    data = SeriesDataModule(counts, LABELS, encoder=cx.encoders.Delta(1.0), encode_on=encode_on)
    x, _ = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    index = SeriesDataModule(counts, LABELS).splits().test.indices[0]
    assert_close(x[0], cx.encoders.Delta(1.0)(counts[index].float()))


class CutTwice(SeriesDataModule):
    """Parts of parts, as ``torch.utils.data.random_split`` makes them when used twice."""

    def splits(self) -> Splits:
        return Splits(*(Subset(part, range(len(part))) for part in super().splits()))


@pytest.mark.parametrize("encode_on", ["device", "worker", "setup"])
def test_parts_of_parts_keep_their_lengths(encode_on):
    data = CutTwice(SERIES, LABELS, encoder=double, encode_on=encode_on)
    order = SeriesDataModule(SERIES, LABELS).splits().test.indices
    for index, (sample, _) in zip(order, samples(data, data.test_dataloader()), strict=True):
        assert_close(sample, 2 * SERIES[index])


class Rising(SeriesDataModule):
    """Signals that rise or fall, of 6 to 20 steps."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        labels = torch.arange(120) % 2
        signals = []
        for label in labels.tolist():
            steps = int(torch.randint(6, 21, (), generator=draw))
            slope = torch.linspace(0, 1, steps) if label else torch.linspace(1, 0, steps)
            signals.append((slope + 0.1 * torch.randn(steps, generator=draw)).unsqueeze(-1))
        super().__init__(signals, labels, batch_size=16)


def test_a_classifier_learns_from_signals_of_unequal_length(tmp_path):
    net = cx.Sequential(nn.Linear(1, 30), cx.LIF(tau_mem=3.0, resistance=4.0), nn.Linear(30, 2), cx.LI(tau_mem=3.0))
    model = SpikingClassifier(net, num_classes=2, decode=cx.training.last_membrane)
    model.make_optimizer = lambda parameters: torch.optim.Adam(parameters, lr=0.02)
    run = trainer(tmp_path, max_epochs=12)
    data = Rising()
    run.fit(model, datamodule=data)
    (metrics,) = run.test(model, datamodule=data, verbose=False)
    assert metrics["test/accuracy"] > 0.9
    scores = torch.cat(run.predict(model, datamodule=data))
    alone = torch.cat([model(sample[None]) for sample, _ in samples(data, data.test_dataloader())])
    assert_close(scores, alone.detach(), rtol=1e-4, atol=1e-5)

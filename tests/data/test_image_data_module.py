"""What the data modules do with batches, alone and under a Trainer."""

import itertools

import lightning as L
import pytest
import torch
from lightning.pytorch.utilities.data import _update_dataloader
from torch.testing import assert_close
from torch.utils.data import DistributedSampler, RandomSampler

from conex_nn.data import TensorDataModule
from conex_nn.encoders import ConstantCurrent, Latency, Poisson

TIME = 6


def make(**options) -> TensorDataModule:
    images = torch.arange(40 * 6).reshape(40, 2, 3) / 240
    return TensorDataModule(images, torch.arange(40) % 4, **{"batch_size": 8, **options})


class Recorder(L.LightningModule):
    """Keeps the batches it is shown."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = {"train": [], "validation": [], "test": []}

    def training_step(self, batch, batch_idx):
        self.seen["train"].append(batch)
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        self.seen["validation"].append(batch)

    def test_step(self, batch, batch_idx):
        self.seen["test"].append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def run(data: TensorDataModule, **options) -> Recorder:
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = L.Trainer(accelerator="cpu", max_epochs=1, **{**quiet, **options})
    model = Recorder()
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    return model


@pytest.mark.parametrize("encode_on", ["device", "worker"])
def test_batches_have_the_batch_first_then_time(encode_on):
    data = make(encoder=Latency(TIME, threshold=0.001), encode_on=encode_on)
    seen = run(data).seen
    assert [tuple(x.shape) for x, _ in seen["train"]] == [(8, TIME, 2, 3)] * 3 + [(5, TIME, 2, 3)]
    assert sum(len(labels) for _, labels in seen["test"]) == 8
    for x, labels in itertools.chain(*seen.values()):
        assert x.dtype == torch.float32
        assert labels.dtype == torch.int64


def test_both_ways_of_encoding_agree():
    encoder = Latency(TIME, threshold=0.001)
    on_device = run(make(encoder=encoder)).seen["test"]
    by_workers = run(make(encoder=encoder, encode_on="worker")).seen["test"]
    for (a, labels_a), (b, labels_b) in zip(on_device, by_workers, strict=True):
        assert_close(a, b, rtol=0, atol=0)
        assert_close(labels_a, labels_b)


def test_the_images_keep_their_labels():
    for x, labels in run(make()).seen["train"]:
        sample = (x[:, 0, 0] * 240 / 6).round().long()
        assert_close(sample % 4, labels)


def test_without_an_encoder_bytes_arrive_as_intensities():
    images = torch.randint(256, (40, 3), dtype=torch.uint8)
    data = TensorDataModule(images, torch.arange(40), test=(images, torch.arange(40)), batch_size=40)
    x, _ = run(data).seen["test"][0]
    assert_close(x, images / 255)


def test_a_current_stays_a_view_of_one_step():
    x, _ = run(make(encoder=ConstantCurrent(TIME))).seen["train"][0]
    assert x.stride(1) == 0


@pytest.mark.parametrize(("precision", "dtype"), [("64-true", torch.float64), ("bf16-true", torch.bfloat16)])
def test_batches_follow_the_precision_and_stay_views(precision, dtype):
    x, _ = run(make(encoder=ConstantCurrent(TIME)), precision=precision).seen["train"][0]
    assert x.dtype == dtype
    assert x.stride(1) == 0


def test_augmentation_is_for_training_and_comes_before_encoding():
    seen = run(make(encoder=ConstantCurrent(TIME), augment=torch.ones_like)).seen
    assert all(bool((x == 1).all()) for x, _ in seen["train"])
    assert not any(bool((x == 1).any()) for x, _ in seen["validation"] + seen["test"])


def test_shuffling_and_encoding_follow_the_global_seed():
    def train(seed):
        L.seed_everything(seed, verbose=False)
        return torch.cat([x for x, _ in run(make(encoder=Poisson(TIME))).seen["train"]])

    first = train(1)
    assert_close(train(1), first, rtol=0, atol=0)
    assert not torch.equal(train(2), first)


def test_only_training_is_shuffled():
    data = make()
    assert isinstance(data.train_dataloader().sampler, RandomSampler)
    a, b = (torch.cat([labels for _, labels in data.train_dataloader()]) for _ in range(2))
    assert not torch.equal(a, b)
    a, b = (torch.cat([x for x, _ in data.test_dataloader()]) for _ in range(2))
    assert_close(a, b, rtol=0, atol=0)


def test_a_loader_is_one_lightning_can_distribute():
    data = make()
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader(), data.predict_dataloader()):
        again = _update_dataloader(loader, DistributedSampler(loader.dataset, num_replicas=2, rank=1))
        assert type(again) is type(loader)
        assert loader.drop_last is again.drop_last is False


@pytest.mark.parametrize("rank", [0, 1])
def test_processes_encode_their_shares_as_one_process_would(rank):
    """A Trainer on several devices gives a loader another sampler: workers count for nothing, and ranks draw apart."""

    def read(num_workers, replicas, rank):
        torch.manual_seed(3)
        data = TensorDataModule(
            torch.full((16, 4), 0.5), torch.arange(16) % 2, test=0, validation=0, batch_size=4, num_workers=num_workers,
            encoder=Poisson(30, max_rate=500.0), encode_on="worker",
        )  # fmt: skip
        loader = data.train_dataloader()
        sampler = DistributedSampler(loader.dataset, num_replicas=replicas, rank=rank, shuffle=False)
        loader = _update_dataloader(loader, sampler)
        return [torch.cat([x for x, _ in loader]) for _ in range(2)]

    alone, share = read(0, 1, 0), read(2, 2, rank)
    assert_close(share, [epoch[rank::2] for epoch in alone], rtol=0, atol=0)
    assert len({tuple(x.flatten().tolist()) for epoch in alone for x in epoch}) == 32


def test_one_batch_is_one_read(monkeypatch):
    data = make()
    loader = data.train_dataloader()
    reads = []
    images = loader.dataset.dataset
    original = images.__getitems__
    monkeypatch.setattr(images, "__getitems__", lambda indices: reads.append(len(indices)) or original(indices))
    list(loader)
    assert reads == [8, 8, 8, 5]


class Drawing(Recorder):
    """Draws while it trains, as dropout does."""

    def training_step(self, batch, batch_idx):
        self.seen["train"].append((*batch, torch.rand(3)))
        return self.weight * 1.0


@pytest.mark.parametrize("encode_on", ["device", "worker"])
@pytest.mark.parametrize("own", [False, True])
def test_the_number_of_workers_changes_nothing(encode_on, own):
    """Spikes, order and what the model draws, in three epochs with validation between, for 0, 1 and 2 workers."""

    def train(num_workers, seed=5):
        L.seed_everything(seed, verbose=False)
        generator = torch.Generator().manual_seed(9) if own else None
        encoder = Poisson(TIME, max_rate=500.0, dtype=torch.uint8, generator=generator)
        model = Drawing()
        trainer = L.Trainer(
            accelerator="cpu", max_epochs=3, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(model, datamodule=make(encoder=encoder, encode_on=encode_on, num_workers=num_workers))
        seen = [part for stage in ("train", "validation") for batch in model.seen[stage] for part in batch]
        return [part.clone() for part in seen]

    first = train(0)
    for num_workers in (1, 2):
        for a, b in zip(train(num_workers), first, strict=True):
            assert_close(a, b, rtol=0, atol=0)
    assert not all(torch.equal(a, b) for a, b in zip(train(0, seed=6), first, strict=True))


def test_each_epoch_has_spikes_of_its_own():
    encoder = Poisson(50, max_rate=500.0)
    data = TensorDataModule(torch.full((8, 3), 0.5), torch.zeros(8, dtype=torch.int64), test=0, validation=0,
                            encoder=encoder, encode_on="worker", num_workers=1, batch_size=8)  # fmt: skip
    loader = data.train_dataloader()
    (a, _), (b, _) = next(iter(loader)), next(iter(loader))
    assert not torch.equal(a.sort(0).values, b.sort(0).values)


@pytest.mark.parametrize("encode_on", ["device", "worker"])
@pytest.mark.parametrize(("precision", "dtype"), [("32-true", torch.float32), ("bf16-true", torch.bfloat16)])
def test_compact_spikes_are_cast_on_the_device(encode_on, precision, dtype):
    encoder = Latency(TIME, threshold=0.001, dtype=torch.bool)
    data = make(encoder=encoder, encode_on=encode_on)
    if encode_on == "worker":
        assert next(iter(data.train_dataloader()))[0].dtype == torch.bool
    x, _ = run(data, precision=precision).seen["test"][0]
    assert x.dtype == dtype
    assert_close(x.float(), run(make(encoder=Latency(TIME, threshold=0.001))).seen["test"][0][0])


@pytest.mark.parametrize("encode_on", ["worker", "setup"])
def test_an_encoder_with_parameters_gives_plain_numbers(encode_on):
    """A tensor with a history cannot leave a worker: its queue would stand still."""
    encoder = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Sigmoid(), ConstantCurrent(TIME))
    x, _ = next(iter(make(encoder=encoder, encode_on=encode_on).test_dataloader()))
    assert x.shape == (8, TIME, 2, 4)
    assert not x.requires_grad


def test_workers_encode_with_random_numbers_of_their_own():
    data = make(encoder=Poisson(20, max_rate=500.0), encode_on="worker", num_workers=2, test=0, validation=0)
    (first, _), (second, _), *_ = data.train_dataloader()
    assert first.shape == (8, 20, 2, 3)
    assert not torch.equal(first, second)


@pytest.mark.filterwarnings("ignore:Total length of `ReseedingLoader` across ranks is zero")
def test_parts_may_be_empty():
    seen = run(make(validation=0, test=0)).seen
    assert sum(len(labels) for _, labels in seen["train"]) == 40
    assert seen["validation"] == seen["test"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "Expected `batch_size` to be at least 1, got 0."),
        ({"num_workers": -1}, "Expected `num_workers` to be 0 or more, got -1."),
        ({"encode_on": "worker", "augment": torch.neg}, 'Expected `encode_on` to be "device" when `augment` is given'),
        (
            {"encoder": torch.nn.Sequential(Latency(TIME), Poisson(TIME))},
            "Expected `encoder` to encode once, got Latency and then Poisson",
        ),
    ],
)
def test_options_that_do_not_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_an_unknown_place_to_encode_is_refused():
    with pytest.raises(
        (ValueError, TypeError),
        match=r"""Expected `encode_on` to be "device", "worker" or "setup", got 'gpu'|parameter 'encode_on'""",
    ):
        make(encode_on="gpu")


def test_an_encoder_for_single_samples_is_found_out():
    data = make(encoder=lambda x: x.flatten().expand(TIME, -1))
    with pytest.raises(ValueError, match=r"Expected `encoder` to map \(8, 2, 3\) to \(time, 8, ...\), got \(6, 48\)."):
        data.on_after_batch_transfer((torch.rand(8, 2, 3), torch.zeros(8)), 0)

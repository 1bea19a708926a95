"""Trials under a trainer: new ones in each epoch, the same ones for any number of workers, and after resuming."""

import itertools

import lightning as L
import pytest
import torch
from torch import nn

from conex_nn.data import CognitiveTrials, DelayedMatch, MultiTask, PerceptualDecision
from conex_nn.data.cognition.trial_batches import FreshBatches, TrialBatches, batch_generator

TASK = PerceptualDecision(stimulus=100.0, decision=160.0)


def data(**options):
    return CognitiveTrials(
        TASK, **{"batch_size": 6, "batches": 3, "validation_batches": 2, "test_batches": 2, **options}
    )


def inputs(loader):
    return torch.stack([batch.inputs for batch in loader])


def test_a_batch_is_batch_first_and_whole():
    batch = next(iter(data().train_dataloader()))
    assert type(batch).__name__ == "Trials"
    assert batch.inputs.shape == (6, TASK.steps, 3)
    assert batch.targets.shape == batch.mask.shape == batch.decision.shape == (6, TASK.steps)
    assert batch.info["coherence"].shape == (6,)
    first = TASK.trials(6, generator=batch_generator(seed=0, stream=0, index=0))
    assert torch.equal(batch.inputs, first.inputs.transpose(0, 1))


def test_workers_make_no_difference():
    alone, many = (inputs(data(num_workers=workers).train_dataloader()) for workers in (0, 2))
    assert torch.equal(alone, many)


def test_seeds_and_stages_differ():
    streams = [
        inputs(getattr(data(seed=seed), f"{stage}_dataloader")())
        for seed in (0, 1)
        for stage in ("train", "val", "test")
    ]
    for one, two in itertools.combinations(streams, 2):
        assert not torch.equal(one[0], two[0])
    assert torch.equal(streams[0], inputs(data().train_dataloader()))
    assert not torch.equal(streams[0][0], streams[0][1])


def test_generators_of_a_run_are_all_different():
    seeds = {
        batch_generator(seed=5, stream=stream, index=index).initial_seed()
        for stream in range(4)
        for index in range(500)
    }
    assert len(seeds) == 2000


def test_epochs_share_no_batch_and_processes_share_them_out():
    batches = TrialBatches(TASK.trials, batch_size=1, batches=4)
    sampler = FreshBatches(batches)
    first = list(sampler)
    sampler.set_epoch(1)
    assert first + list(sampler) == list(range(8))
    two = FreshBatches(batches), FreshBatches(batches)
    for rank, each in enumerate(two):
        each.num_replicas, each.rank, each.num_samples, each.total_size = 2, rank, 2, 4
        each.set_epoch(2)
    assert [list(each) for each in two] == [[8, 10], [9, 11]]


class Seen(L.LightningModule):
    """A module that keeps what it sees."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.train_seen, self.val_seen = [], []

    def training_step(self, batch, batch_idx):
        self.train_seen.append(float(batch.inputs.sum()))
        return self.weight.square()

    def validation_step(self, batch, batch_idx):
        self.val_seen.append(float(batch.inputs.sum()))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(folder, epochs, ckpt_path=None):
    module = Seen()
    runner = L.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=folder, num_sanity_val_steps=0,
    )  # fmt: skip
    runner.fit(module, datamodule=data(), ckpt_path=ckpt_path)
    runner.save_checkpoint(folder / "last.ckpt")
    return module


def test_a_trainer_sees_new_trials_and_a_resumed_one_those_that_would_have_come(tmp_path):
    whole = fit(tmp_path, 3)
    assert len(set(whole.train_seen)) == 9
    assert whole.val_seen[:2] == whole.val_seen[2:4] == whole.val_seen[4:]
    fit(tmp_path, 1)
    resumed = fit(tmp_path, 3, ckpt_path=tmp_path / "last.ckpt")
    assert resumed.train_seen == whole.train_seen[3:]


def test_sizes_and_names():
    module = CognitiveTrials(MultiTask({"dots": TASK, "match": DelayedMatch()}), batch_size=2, batches=1)
    assert (module.num_inputs, module.num_classes, module.dt) == (5, 3, 20.0)
    assert module.class_names[0] == "fixate"


@pytest.mark.parametrize("option", [{"batch_size": 0}, {"batches": 0}, {"num_workers": -1}])
def test_numbers_out_of_range(option):
    with pytest.raises(ValueError, match=f"Expected `{next(iter(option))}` to be"):
        data(**option)


def test_another_task():
    with pytest.raises(TypeError, match="`task` to be a CognitiveTask or a MultiTask, got str"):
        CognitiveTrials("dots")


@pytest.mark.parametrize("name", ["validation_batches", "test_batches"])
def test_fewer_batches_than_none(name):
    with pytest.raises(ValueError, match=f"Expected `{name}` to be 0 or more, got -1"):
        CognitiveTrials(PerceptualDecision(), **{name: -1})


@pytest.mark.parametrize("place", [{"stream": 4}, {"index": 2**30}, {"index": -1}])
def test_batches_that_there_are_not(place):
    with pytest.raises(ValueError, match="`stream` below 4 and `index` below"):
        batch_generator(**{"seed": 0, "stream": 0, "index": 0, **place})

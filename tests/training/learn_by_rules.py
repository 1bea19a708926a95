"""Train nets that learn by rules on whole batches, or in two processes on halves."""

from pathlib import Path

import lightning as L
import torch
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from tests.training.local_nets import KINDS
from tests.training.stripes import images, trainer

BATCH = 8


def loader(processes: int, rank: int) -> DataLoader:
    """Samples in order: two processes have the same ones in a step as one with whole batches."""
    x, labels = images(24)
    torch.manual_seed(9)
    spikes = (torch.rand(24, 20, x.shape[1]) < x[:, None]).float()
    data = TensorDataset(spikes, labels)
    sampler = DistributedSampler(data, processes, rank, shuffle=False)
    return DataLoader(data, batch_size=BATCH // processes, sampler=sampler)


def run(kind: str, folder: Path, processes: int) -> dict[str, torch.Tensor]:
    """Return what was learned in two epochs."""
    L.seed_everything(5, verbose=False)
    parallel = {"strategy": "ddp", "devices": 2, "use_distributed_sampler": False} if processes == 2 else {}
    runner = trainer(folder, max_epochs=2, **parallel)
    if runner.global_rank == 1:
        torch.manual_seed(6)  # training has to begin with what the first process has
    model = KINDS[kind]()
    runner.fit(model, loader(processes, runner.global_rank))
    return model.state_dict()

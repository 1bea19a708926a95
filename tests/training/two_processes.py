"""Train and test in two processes; each writes what it ended with. Run by test_ddp.py, in an empty folder."""

import sys
import warnings
from pathlib import Path

import lightning as L
import torch

from tests.training.stripes import Stripes, classifier, trainer


def main(folder: Path) -> None:
    warnings.filterwarnings("ignore", message="Using `DistributedSampler` with the dataloaders")
    torch.set_num_threads(1)
    L.seed_everything(5, verbose=False)
    model = classifier()
    runner = trainer(folder, max_epochs=2, strategy="ddp", devices=2, use_distributed_sampler=True)
    data = Stripes(batch_size=4)
    runner.fit(model, datamodule=data)
    runner.save_checkpoint(folder / "last.ckpt")
    (logged,) = runner.test(model, datamodule=data, verbose=False)
    result = {"weights": dict(model.net.state_dict()), "logged": logged, "confusion": model.confusion}
    torch.save(result, folder / f"rank{runner.global_rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

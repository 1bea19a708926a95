"""Train in two processes, by gradients and by rules; each writes what it ended with. Run by test_ddp.py.

Both ways in one pair of processes: to start them takes longer than to train.
"""

import sys
import warnings
from pathlib import Path

import lightning as L
import torch

from tests.training import learn_by_rules
from tests.training.local_nets import KINDS
from tests.training.stripes import Stripes, classifier, trainer


def by_gradients(folder: Path) -> None:
    """Train and test on the whole set."""
    L.seed_everything(5, verbose=False)
    model = classifier()
    runner = trainer(folder, max_epochs=2, strategy="ddp", devices=2, use_distributed_sampler=True)
    data = Stripes(batch_size=4)
    runner.fit(model, datamodule=data)
    runner.save_checkpoint(folder / "last.ckpt")
    (logged,) = runner.test(model, datamodule=data, verbose=False)
    result = {"weights": dict(model.net.state_dict()), "logged": logged, "confusion": model.confusion}
    torch.save(result, folder / f"rank{runner.global_rank}.pt")


def by_rules(folder: Path) -> None:
    """Train a net of each kind on halves of batches."""
    for kind in KINDS:
        learned = learn_by_rules.run(kind, folder, processes=2)
        torch.save(learned, folder / f"{kind}-{torch.distributed.get_rank()}.pt")


def main(folder: Path) -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    by_gradients(folder)
    by_rules(folder)
    torch.distributed.barrier()  # neither ends while the other still listens
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""An interrupted run goes on exactly: same weights, bit for bit, as if it had not been interrupted."""

from functools import partial

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from .stripes import Stripes, classifier, trainer

SAVING = {
    "at the end of the epoch": {"save_top_k": -1},
    "after validation": {"save_on_train_epoch_end": False, "monitor": "val/loss"},
    "last": {"save_last": True},
}
SCHEDULERS = {
    "none": None,
    "one cycle": partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.05),
    "step": partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5),
    "plateau": partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0),
}


class Interrupt(L.Callback):
    """Stop at the start of the second epoch."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise InterruptedError


def fit(folder, *, saving, scheduler, interrupt=False, ckpt_path=None):
    L.seed_everything(5, verbose=False)
    model = classifier(scheduler=SCHEDULERS[scheduler])
    callbacks = [ModelCheckpoint(dirpath=folder, filename="{epoch}", **SAVING[saving])]
    fitted = trainer(
        folder, max_epochs=3, enable_checkpointing=True, callbacks=[*callbacks, *([Interrupt()] if interrupt else [])]
    )
    if ckpt_path is not None:
        torch.rand(17)  # what a program may draw while it is started again
    fitted.fit(model, datamodule=Stripes(), ckpt_path=ckpt_path)
    return model


@pytest.mark.parametrize(
    ("saving", "scheduler"),
    [
        *((saving, "none") for saving in SAVING),
        *((next(iter(SAVING)), name) for name in list(SCHEDULERS)[1:]),
        ("after validation", "plateau"),
    ],
)
def test_resumed_equals_uninterrupted(tmp_path, saving, scheduler):
    whole = fit(tmp_path / "whole", saving=saving, scheduler=scheduler)
    with pytest.raises(InterruptedError):
        fit(tmp_path / "first", saving=saving, scheduler=scheduler, interrupt=True)
    name = "last.ckpt" if saving == "last" else "epoch=0.ckpt"
    resumed = fit(tmp_path / "second", saving=saving, scheduler=scheduler, ckpt_path=tmp_path / "first" / name)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)

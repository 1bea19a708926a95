"""Pictures of what a network does with one sample while it trains."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.recording import record, spiking_layers
from conex_nn.training.padding import first_sample
from conex_nn.training.pictures import Learner, Pictures
from conex_nn.training.sequence_task import SequenceTask

__all__ = ["ActivityImages"]


class ActivityImages(Pictures):
    """Draw the spikes of a network every few epochs of training: ``raster`` and ``rates`` of its spiking layers.

    The sample is the first one of validation, or of training where nothing is validated, the same one all the time. It
    is run again, in ``eval()``, when it is drawn: nothing learns from it and no random number is drawn for it. See
    :class:`Pictures` for where the pictures go.

    Args:
        out_dir: Folder to write into; None for the logger, or a folder beside its log.
        addresses: Of the layers and populations that are drawn; None for all that spike.
        every: Epochs from picture to picture [1].
        sigma: Standard deviation of the Gaussian that smooths the rates; None for two steps [ms].
        max_neurons: Neurons of a population in a raster at most [1].

    Raises:
        ValueError: A period below 1; at fitting: a network of which nothing spikes, or an address that it lacks.
        TypeError: At fitting: a module that is neither a :class:`SpikingClassifier` nor a :class:`SequenceTask`.

    Example:
        >>> images = ActivityImages("runs/first", every=5)
        >>> trainer = L.Trainer(callbacks=[images], logger=False, enable_checkpointing=False, accelerator="cpu")
    """

    def __init__(
        self,
        out_dir: str | Path | None = None,
        *,
        addresses: Sequence[str] | None = None,
        every: int = 1,
        sigma: float | None = None,
        max_neurons: int = 100,
    ) -> None:
        super().__init__(out_dir, every=every)
        self.addresses = addresses
        self.sigma = sigma
        self.max_neurons = max_neurons
        self._sample: Tensor | dict[str, Tensor] | None = None
        self._validated = False

    @override
    def checked(self, module: L.LightningModule) -> Learner:
        model = super().checked(module)
        if not self._found(model):
            raise ValueError(
                "Expected a network with layers that spike for `ActivityImages`, got none. For what rates do, define "
                "`Pictures` of your own, with `plots.trial` or `plots.conditions`."
            )
        return model

    def _found(self, model: Learner) -> list[str]:
        return list(spiking_layers(model.net) if self.addresses is None else self.addresses)

    @override
    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._sample, self._validated = None, False
        with record(self.checked(pl_module).net, *self._found(self.checked(pl_module))):
            pass  # raises for what is not there before anything is trained

    @override
    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._sample is None:
            self._sample = _first(pl_module, batch)

    @override
    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if not self._validated and batch_idx == 0 and dataloader_idx == 0:
            self._sample, self._validated = _first(pl_module, batch), True

    @override
    def pictures(self, trainer: L.Trainer, model: Learner, epoch: int) -> Iterator[tuple[str, Any]]:
        # Imported here: matplotlib is of use where pictures are drawn only.
        from conex_nn.plots import raster, rates

        if self._sample is None:
            return
        spikes = _spikes(model, self._sample, self._found(model))
        sigma = 2 * model.dt if self.sigma is None else self.sigma
        for name, ax in (
            ("raster", raster(spikes, dt=model.dt, max_neurons=self.max_neurons)),
            ("rates", rates(spikes, dt=model.dt, sigma=sigma)),
        ):
            figure: Any = ax.figure
            figure.suptitle(f"one sample after {epoch} epoch{'s' * (epoch != 1)}", fontsize=10)
            yield name, ax


def _first(model: L.LightningModule, batch: Any) -> Any:
    x, _, *lengths = batch[:2] if isinstance(model, SequenceTask) else batch
    return first_sample(x, *lengths)


@torch.no_grad()
def _spikes(model: Learner, x: Tensor | dict[str, Tensor], addresses: Sequence[str]) -> dict[str, Tensor]:
    """Return the spikes ``(time, *neurons)`` of every layer for one sample, and leave the model as it was."""
    training = {module: module.training for module in model.modules()}
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices), record(model.net, *addresses) as recording:
            model.eval()
            model(_on(model.device, x))
    finally:
        for module, mode in training.items():
            module.training = mode
    return {name.removesuffix(".spikes"): value[:, 0] for name, value in recording.items()}


def _on(device: torch.device, x: Tensor | dict[str, Tensor]) -> Tensor | dict[str, Tensor]:
    return {address: each.to(device) for address, each in x.items()} if isinstance(x, dict) else x.to(device)

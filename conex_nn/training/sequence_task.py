"""The LightningModule that trains any network to map sequences to sequences."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from typing_extensions import override

from conex_nn.rates import Outcome, TaskLoss, WeightedLoss
from conex_nn.training.network_activity import activity
from conex_nn.training.psychometric_curve import Psychometric, PsychometricCurve
from conex_nn.training.readout import read_out, readout_address, step_length
from conex_nn.training.sequence_batch import SequenceBatch, sequence_batch
from conex_nn.training.sequence_evaluation import SequenceEvaluation
from conex_nn.training.trainable import Trainable

__all__ = ["SequenceTask"]

_CROSS_ENTROPY = partial(F.cross_entropy, reduction="none")


class SequenceTask(Trainable):
    """Train, validate and test a network, of rates or spikes, on sequences with something to do at each step.

    A batch is ``(x, targets)``, ``(x, targets, mask)``, ``(x, targets, mask, decision)`` or ``(..., decision, info)``,
    batch first, such as a :class:`conex_nn.data.Trials`; the network sees ``(time, batch, *features)``. Targets are
    classes ``(batch, time)``, or values ``(batch, time, outputs)``. The mask weighs steps in the loss; the choice is
    read where ``decision`` is on; ``info`` says what each sequence is about.

    What is logged for ``train``, ``val`` and ``test``: ``loss``; of classes, ``accuracy`` of decisions, and of each
    group; and each term. :class:`SequenceReport` makes a table, a file and pictures of a test, :class:`Criterion` stops
    training once a network is good enough. A checkpoint holds torch's random state as well: at the end of an epoch, an
    interrupted run goes on exactly.

    Args:
        net: Any module with ``net(xs, state=None, *, dt) -> (ys, state)``, such as a ``CTRNN``, a ``Sequential`` or a
            ``Neocortex``.
        loss: ``loss(outputs, targets)`` of each step, which the mask weighs, such as
            ``partial(cross_entropy, reduction="none")`` for classes, the default, or ``MSELoss(reduction="none")`` for
            values; or a weighted sum of named terms, :class:`conex_nn.rates.WeightedLoss`, whose terms also see the
            network, its input, and the activity of its neurons: of every ``CTRNN`` and spiking layer in it, joined.
            Each term is logged under its name.
        optimizer: Makes an optimizer from parameters, e.g. ``partial(torch.optim.Adam, lr=2e-3)``.
        scheduler: Makes a learning-rate scheduler from an optimizer. One that takes ``total_steps`` is given the number
            of optimizer steps of the fit and is advanced after each of them. A ``ReduceLROnPlateau`` watches
            ``val/loss``.
        scheduler_interval: When any other scheduler is advanced.
        groups: For the accuracy of each of several groups: name of the ``info`` that says to which a sequence belongs,
            from 0, and the names of the groups: ``("task", ["dots", "match"])``.
        psychometric: Curves to be measured in a test, by the name of the ``info`` that is their evidence:
            ``{"coherence": PsychometricCurve()}``; they are then in ``curves``.
        readout: Address of the module whose output is read, see :class:`SpikingClassifier`; None for the net's output.
        dt: Length of a step; None for the net's own, or 1 where it has none [ms].
        detach_every: Steps after which gradients stop (truncated back-propagation through time) [1].
        checkpoint_every: Steps whose activations are computed again in the backward pass instead of kept [1].

    Raises:
        ValueError: A number out of range, a term with the name of what is logged, a ``dt`` that is not the net's, a
            readout that does not exist, groups without names; at fitting: nothing to train; at a step: a batch or an
            output of the wrong shape, classes out of range, NaN, an ``info`` that is missing; at loading: a checkpoint
            of another model.
        TypeError: A net that is no module; at a step: a batch of another kind.

    Example:
        >>> import conex_nn as cx
        >>> task = cx.data.PerceptualDecision()
        >>> net = cx.rates.CTRNN(3, 50, output_size=3, tau=100.0)
        >>> model = SequenceTask(net, dt=task.dt, psychometric={"coherence": PsychometricCurve()})
        >>> model(task.trials(8).swapped().inputs).shape  # (batch, time, outputs)
        torch.Size([8, 60, 3])
    """

    curves: dict[str, Psychometric]
    """Psychometric curves of the last test, by the name of their evidence."""

    def __init__(
        self,
        net: nn.Module,
        *,
        # To jsonargparse a callable that returns a class is a factory of it: hence Any where these return tensors.
        loss: Callable[[Tensor, Tensor], Any] | WeightedLoss = _CROSS_ENTROPY,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = torch.optim.AdamW,
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        scheduler_interval: Literal["epoch", "step"] = "epoch",
        groups: tuple[str, Sequence[str]] | None = None,
        psychometric: Mapping[str, PsychometricCurve] | None = None,
        readout: str | None = None,
        dt: float | None = None,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
    ) -> None:
        super().__init__(net, optimizer=optimizer, scheduler=scheduler, scheduler_interval=scheduler_interval)
        if groups is not None and (len(groups) != 2 or isinstance(groups[1], str) or not groups[1]):
            raise ValueError(f"Expected `groups` as the name of an `info` and names of groups, got {groups!r}.")
        if isinstance(loss, WeightedLoss) and (taken := {"loss", "accuracy"} & loss.terms.keys()):
            raise ValueError(f"Expected terms of `loss` of other names than what is logged, got {sorted(taken)}.")
        # Modules and callables stay out: a checkpoint holds only what can be loaded with weights_only=True.
        self.save_hyperparameters("scheduler_interval", "readout", "dt", "detach_every", "checkpoint_every")
        self.readout = readout_address(net, readout)
        self.loss = loss if isinstance(loss, WeightedLoss) else TaskLoss(loss)
        self.dt = step_length(net, dt)
        self.detach_every = detach_every
        self.checkpoint_every = checkpoint_every
        named = None if groups is None else (groups[0], tuple(groups[1]))
        self.training_metrics = SequenceEvaluation()
        self.validation = SequenceEvaluation(named)
        self.testing = SequenceEvaluation(named, psychometric)
        self.curves = {}

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs ``(batch, time, outputs)`` of sequences ``(batch, time, *features)``."""
        return self.outputs(x.movedim(1, 0)).movedim(0, 1)

    def outputs(self, xs: Tensor) -> Tensor:
        """Run the network.

        Args:
            xs: Sequences, ``(time, batch, *features)``.

        Returns:
            Outputs, ``(time, batch, outputs)``.
        """
        if not xs.is_floating_point():
            xs = xs.to(self.dtype)
        options: dict[str, Any] = {"dt": self.dt}
        given = {"detach_every": self.detach_every, "checkpoint_every": self.checkpoint_every}
        options |= {name: value for name, value in given.items() if value is not None}
        (ys,) = read_out(self.net, xs, [self.readout], **options)
        if not isinstance(ys, Tensor):
            raise TypeError(f"Expected the network's output to be a tensor, got {type(ys).__name__}.")
        if ys.dim() == 2 and len(ys) == xs.shape[0] * xs.shape[1]:  # of a module that ran over time and batch together
            ys = ys.unflatten(0, xs.shape[:2])
        if ys.dim() != 3 or ys.shape[:2] != xs.shape[:2]:
            raise ValueError(
                f"Expected the output as (time, batch, outputs) of {tuple(xs.shape[:2])} steps and samples, got shape "
                f"{tuple(ys.shape)}. End the network in nn.Flatten() and nn.Linear(...), or give a `readout`."
            )
        return ys.float() if ys.dtype in (torch.bfloat16, torch.float16) else ys

    @override
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        found = sequence_batch(batch)
        with torch.set_grad_enabled(self.clock is None):
            outputs, loss = self._run(found, "train")
        self.training_metrics.update(outputs.detach(), found, loss=loss)
        for name, metric in self.training_metrics.metrics().items():
            self.log(f"train/{name}", metric, on_step=False, on_epoch=True, prog_bar=True, batch_size=found.x.shape[1])
        return loss if self.clock is None else self.clock()

    def _run(self, batch: SequenceBatch, stage: str) -> tuple[Tensor, Tensor]:
        """Run the network on a batch, and return its outputs and the loss."""
        if isinstance(self.loss, TaskLoss):
            outputs = self.outputs(batch.x)
            return outputs, self.loss(self._outcome(batch, outputs, outputs[..., :0]))
        with activity(self.net) as active:
            outputs = self.outputs(batch.x)
        rates = [each.flatten(2) for each in active.values()] or [outputs[..., :0]]
        loss, terms = self.loss(self._outcome(batch, outputs, torch.cat(rates, -1)))
        for name, value in terms.items():
            self._log_mean(f"{stage}/{name}", value, samples=batch.x.shape[1])
        return outputs, loss

    def _outcome(self, batch: SequenceBatch, outputs: Tensor, rates: Tensor) -> Outcome:
        targets, classes = batch.targets, outputs.shape[-1]
        if batch.of_classes and not targets.is_cuda and not 0 <= int(targets.min()) <= int(targets.max()) < classes:
            raise ValueError(
                f"Expected `targets` to be classes from 0 to {classes - 1}, as the network has {classes} outputs, got "
                f"values from {int(targets.min())} to {int(targets.max())}."
            )
        return Outcome(self.net, outputs, targets, rates, mask=batch.mask.to(outputs.dtype), inputs=batch.x)

    @override
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate(batch, "val", self.validation)

    @override
    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate(batch, "test", self.testing)

    @override
    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self(batch[0] if isinstance(batch, tuple | list) else batch)

    def _evaluate(self, batch: Any, stage: str, evaluation: SequenceEvaluation) -> None:
        found = sequence_batch(batch)
        needed = [*evaluation.evidence, *([evaluation.groups[0]] if evaluation.groups else [])]
        for name in needed:
            if name not in found.info:
                raise ValueError(
                    f"Expected `info` of a batch to hold {name!r}, for `groups` or `psychometric`, got "
                    f"{', '.join(map(repr, found.info)) or 'none'}."
                )
        outputs, loss = self._run(found, stage)
        evaluation.update(outputs, found, loss=loss)
        for name, metric in evaluation.metrics().items():
            self.log(f"{stage}/{name}", metric, prog_bar=name in ("loss", "accuracy"), batch_size=found.x.shape[1])

    @override
    def validation_loss(self) -> float:
        return float(self.validation.loss.compute())

    @override
    def on_test_epoch_start(self) -> None:
        self.testing.reset_curves()
        self.curves = {}

    @override
    def on_test_epoch_end(self) -> None:
        self.curves = self.testing.curves()

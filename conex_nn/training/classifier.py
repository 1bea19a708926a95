"""The LightningModule that trains any spiking network to classify."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.classification import MulticlassAccuracy
from typing_extensions import override

from conex_nn.plasticity import Payoff
from conex_nn.recording import record, spiking_layers
from conex_nn.training.batch_checks import Batch, check_batch, check_outputs, check_scores
from conex_nn.training.decode import spike_count
from conex_nn.training.evaluation import Evaluation
from conex_nn.training.heads import Head, Heads
from conex_nn.training.label_assignment import LabelAssignment
from conex_nn.training.losses import takes_sequence
from conex_nn.training.modulation import check_payoff, teach
from conex_nn.training.padding import decode_padded, loss_padded, own_values
from conex_nn.training.plastic_weights import check_rules_see_no_padding
from conex_nn.training.readout import read_out, readout_address, step_length, time_first
from conex_nn.training.trainable import Trainable

__all__ = ["SpikingClassifier"]


class SpikingClassifier(Trainable):
    """Train, validate and test a spiking network as a classifier, under a Lightning ``Trainer``.

    A batch is ``(x, labels)`` with x ``(batch, time, *features)``, as :mod:`conex_nn.data` gives it, or several by
    address, ``{"retina": ..., "retina.location": ...}``; the network sees ``(time, batch, *features)``. Samples of
    unequal length are padded at their end, and their lengths come along, as ``(x, labels, lengths)``: readouts, losses,
    regularisers and metrics then leave the padding out, and say of each sample what they say of it alone. (Statistics
    of a batch and slow adaptation in training see all steps.)

    What is logged: ``train/loss`` and ``train/accuracy``; ``val/...`` and ``test/...`` with ``loss``, ``accuracy``,
    ``top_<k>``, ``f1`` (macro), ``sparsity`` [1], ``rate/<layer>`` [Hz], ``synaptic_operations`` per sample; and
    ``test/calibration_error``, ``test/latency`` (:class:`DecisionLatency`, ms). :class:`Report` makes a table, a file
    and pictures of a test.

    Weights learn by gradient, by the rules of connections and attachments, or by both, each as it was said where the
    rule was given. Without anything to differentiate there is no backward pass; all else goes on the same.

    A checkpoint holds torch's random state as well: at the end of an epoch, an interrupted run goes on exactly
    (with data loaded in the main process, which is the default of :mod:`conex_nn.data`, and encoders that draw from
    torch's global generator, not from one of their own).

    Args:
        net: Any module with ``net(xs, state=None, *, dt, detach_every, checkpoint_every) -> (ys, state)``, such as a
            ``Neocortex``, which is asked for the readouts' populations alone.
        num_classes: Number of classes [1].
        heads: What else the network tells of a sample, by name: ``{"where": Head(num_classes=9, readout="where")}``.
            Labels are then by name, too, and ``<stage>/<name>/accuracy`` is logged; all else is of the first readout.
        readout: Address of the module whose output is read, as ``named_modules`` gives it; None for the net's output.
            In a ``Neocortex``: of a population, or of a port or a container that stands for one; None for its only
            population, or that of its only ``OutputLayer``.
        decode: Maps outputs ``(time, batch, classes)`` to scores ``(batch, classes)``, e.g. :func:`spike_count`. A
            population of several axes is flattened.
        loss: ``loss(scores, labels)``; or one of whole sequences, ``loss(outputs, labels)``: any of snnTorch's
            (``snntorch.functional.ce_rate_loss()`` ...), or your own in :class:`OnSequence`.
        optimizer: Makes an optimizer from parameters, e.g. ``partial(torch.optim.Adam, lr=2e-3)``.
        scheduler: Makes a learning-rate scheduler from an optimizer. One that takes ``total_steps`` is given the number
            of optimizer steps of the fit and is advanced after each of them: ``partial(OneCycleLR, max_lr=0.01)``.
            A ``ReduceLROnPlateau`` watches ``val/loss``.
        scheduler_interval: When any other scheduler is advanced.
        assignment: Makes scores by the class that each output stands for, as its responses to training samples tell:
            True, or a :class:`LabelAssignment`. What ``decode`` returns are then responses, ``(batch, outputs)``, of as
            many outputs as there are. Labels are those of the newest epoch of training that is complete.
        payoff: ``payoff(outputs, labels)`` says what each sample earns, ``(batch,)``, or ``(time, batch)`` at each step
            [1]; after each forward pass in training, the rules that wait for modulators are told. It is logged as
            ``train/payoff``.
        modulators: Modules that make a signal of the payoff, by its name: ``{"dopamine": cx.plasticity.Dopamine()}``.
            A name without one gets the payoff itself.
        regularisers: Added to the training loss, by the name to log them under: ``{"rate": RateTarget(rate=20.0)}``.
        top_k: Guesses that the second accuracy allows [1].
        dt: Length of a step; None for the net's own, or 1 where it has none [ms].
        detach_every: Steps after which gradients stop (truncated back-propagation through time) [1].
        checkpoint_every: Steps whose activations are computed again in the backward pass instead of kept [1].

    Raises:
        ValueError: A number out of range, a ``dt`` that is not the net's, or a readout that does not exist or is needed
            to tell several outputs apart; at fitting: nothing to train, a rule that waits for a payoff that is not
            there, a weight for its rule alone that the optimizer has too; at a step: a batch or an output of the wrong
            shape, labels out of range, NaN, no labels assigned yet; at loading: a checkpoint of another model.
        TypeError: A net that is no module; at a step: a batch that is not ``(x, labels)``.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Sequential(nn.Flatten(), nn.Linear(64, 32), cx.LIF(), nn.Linear(32, 10), cx.LI())
        >>> model = SpikingClassifier(net, num_classes=10, decode=cx.training.mean_membrane)
        >>> scores = model(torch.rand(4, 20, 1, 8, 8))  # (batch, time, *features)
        >>> scores.shape
        torch.Size([4, 10])
    """

    assignment: LabelAssignment | None
    """Labels of the outputs, from the last epoch of training."""
    gathered: LabelAssignment | None
    """Responses in the epoch that is being trained."""

    def __init__(
        self,
        net: nn.Module,
        *,
        num_classes: int,
        readout: str | None = None,
        # To jsonargparse a callable that returns a class is a factory of it: hence Any where these return tensors.
        decode: Callable[[Tensor], Any] = spike_count,
        loss: Callable[[Tensor, Tensor], Any] = nn.functional.cross_entropy,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = torch.optim.AdamW,
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        scheduler_interval: Literal["epoch", "step"] = "epoch",
        assignment: LabelAssignment | bool = False,
        payoff: Payoff | None = None,
        modulators: Mapping[str, nn.Module] | None = None,
        regularisers: Mapping[str, Callable[[Mapping[str, Tensor], float], Any]] | None = None,
        heads: Mapping[str, Head] | None = None,
        top_k: int = 2,
        dt: float | None = None,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
    ) -> None:
        super().__init__(net, optimizer=optimizer, scheduler=scheduler, scheduler_interval=scheduler_interval)
        if num_classes < 2:
            raise ValueError(f"Expected `num_classes` to be at least 2 [1], got {num_classes}.")
        if not 1 <= top_k <= num_classes:
            raise ValueError(f"Expected `top_k` to be from 1 to `num_classes` = {num_classes} [1], got {top_k}.")
        # Modules and callables stay out: a checkpoint holds only what can be loaded with weights_only=True.
        self.save_hyperparameters(
            "num_classes", "readout", "scheduler_interval", "top_k", "dt", "detach_every", "checkpoint_every"
        )
        self.num_classes = num_classes
        self.readout = readout_address(net, readout)
        self.heads = Heads(net, heads or {})
        self.decode = decode
        self.loss = loss
        if isinstance(assignment, bool):
            self.assignment = LabelAssignment(num_classes) if assignment else None
        elif assignment.num_classes != num_classes:
            raise ValueError(
                f"Expected `assignment` of `num_classes` = {num_classes} [1], got one of {assignment.num_classes}."
            )
        else:
            self.assignment = assignment
        gathered: Any = None if self.assignment is None else self.assignment.clone()
        self.gathered = gathered
        self.payoff = payoff
        self.modulators = nn.ModuleDict(modulators or {})
        self.regularisers = dict(regularisers or {})
        if self.regularisers and not spiking_layers(net):
            raise ValueError("Expected `net` to have spiking layers for its `regularisers`, got none.")
        self.dt = step_length(net, dt)
        self.detach_every = detach_every
        self.checkpoint_every = checkpoint_every
        self.train_accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)
        self.validation = Evaluation(net, num_classes=num_classes, top_k=top_k, dt=self.dt)
        self.testing = Evaluation(net, num_classes=num_classes, top_k=top_k, dt=self.dt, thorough=True)
        self.confusion: Tensor | None = None

    @override
    def forward(self, x: Any, lengths: Tensor | None = None) -> Tensor:
        """Return the scores ``(batch, classes)`` of samples ``(batch, time, *features)``, padded after `lengths`."""
        return self._scores(self.outputs(x), lengths)

    def outputs(self, x: Any) -> Tensor:
        """Run the network and return the output sequence that is decoded.

        Args:
            x: Samples, ``(batch, time, *features)``, or several of these by address.

        Returns:
            Outputs, ``(time, batch, classes)``, or neurons where an assignment says what they stand for.
        """
        return self._run(x)[0]

    def _run(self, x: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the network; return the output sequence, and those of further heads."""
        xs = time_first(x, dtype=cast(torch.dtype, self.dtype))
        steps, batch = next(iter(xs.values()) if isinstance(xs, dict) else iter([xs])).shape[:2]
        options = {"dt": self.dt, "detach_every": self.detach_every, "checkpoint_every": self.checkpoint_every}
        ys, *others = read_out(self.net, xs, [self.readout, *self.heads.readouts.values()], **options)
        classes = self.num_classes if self.assignment is None else None
        ys = check_outputs(ys, num_classes=classes, steps=steps, batch=batch)
        found = self.heads.checked(others, steps=steps, batch=batch)
        return _exact(ys), {name: _exact(other) for name, other in found.items()}

    def _scores(self, outputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        scores = decode_padded(self.decode, outputs, lengths)
        if self.assignment is not None and self.gathered is not None:
            known = self.assignment.assigned or not self.training
            scores = (self.assignment if known else self.gathered).scores(scores)
        return check_scores(scores, num_classes=self.num_classes, batch=outputs.shape[1])

    def _loss(self, outputs: Tensor, scores: Tensor, labels: Tensor, lengths: Tensor | None) -> Tensor:
        if takes_sequence(self.loss):
            return loss_padded(self.loss, outputs, labels, lengths)
        return self.loss(scores, labels).mean()

    @override
    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Tensor:
        checked, targets = self._checked(batch)
        x, labels, lengths = checked
        check_rules_see_no_padding(self.net, lengths, steps=checked.steps)
        with torch.set_grad_enabled(self.clock is None):
            outputs, others, penalty = self._regularised_outputs(x, lengths)
            earned = teach(self.net, self.payoff, dict(self.modulators.items()), outputs, labels, dt=self.dt)
            if self.gathered is not None:
                self.gathered.update(decode_padded(self.decode, outputs.detach(), lengths), labels)
            scores = self._scores(outputs, lengths)
            loss = self._loss(outputs, scores, labels, lengths) + penalty
            loss = loss + self.heads.loss(others, targets, "train", lengths)
        if earned is not None:
            self._log_mean("train/payoff", earned.mean(), samples=len(labels))
        self.train_accuracy.update(scores.detach(), labels)
        self._log_mean("train/loss", loss, samples=len(labels), prog_bar=True)
        for name, metric in {"accuracy": self.train_accuracy, **self.heads.metrics("train")}.items():
            self.log(f"train/{name}", metric, on_step=False, on_epoch=True, prog_bar=True)
        return loss if self.clock is None else self.clock()

    def _checked(self, batch: Sequence[Any]) -> tuple[Batch, dict[str, Tensor]]:
        """Return what is in a batch, and the labels of further heads."""
        targets = {}
        if isinstance(batch, tuple | list) and len(batch) > 1:
            labels, targets = self.heads.split(batch[1])
            batch = (batch[0], labels, *batch[2:])
        return check_batch(batch, num_classes=self.num_classes), targets

    def _regularised_outputs(self, x: Any, lengths: Tensor | None) -> tuple[Tensor, dict[str, Tensor], Tensor | float]:
        """Return the output sequences and what the regularisers add to the loss."""
        if not self.regularisers:
            return *self._run(x), 0.0
        layers = list(spiking_layers(self.net))
        with record(self.net, *layers, detach=False) as recording:
            outputs, others = self._run(x)
        spikes = {each: own_values(recording[f"{each}.spikes" if each else "spikes"], lengths) for each in layers}
        penalties = {name: regulariser(spikes, self.dt) for name, regulariser in self.regularisers.items()}
        for name, penalty in penalties.items():
            self._log_mean(f"train/{name}", penalty, samples=outputs.shape[1])
        return outputs, others, sum(penalties.values())

    @override
    def validation_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        self._evaluate(batch, "val", self.validation)

    @override
    def test_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        self._evaluate(batch, "test", self.testing)

    @override
    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self(*batch[0::2]) if isinstance(batch, tuple | list) else self(batch)  # without the labels

    def _evaluate(self, batch: Sequence[Tensor], stage: str, evaluation: Evaluation) -> None:
        (x, labels, lengths), targets = self._checked(batch)
        with evaluation.watch(self.net, samples=len(labels), lengths=lengths):
            outputs, others = self._run(x)
        if self.assignment is not None and not self.assignment.assigned and self.trainer.sanity_checking:
            return  # labels come from training, which has yet to begin
        scores = self._scores(outputs, lengths)
        loss = self._loss(outputs, scores, labels, lengths) + self.heads.loss(others, targets, stage, lengths)
        evaluation.update(outputs, scores, labels, loss=loss, decode=self._scores, lengths=lengths)
        for name, metric in {**evaluation.metrics(), **self.heads.metrics(stage)}.items():
            self.log(f"{stage}/{name}", metric, prog_bar=name in ("loss", "accuracy"), batch_size=len(labels))

    def _assign(self) -> None:
        """Let the labels be those of the responses that were gathered."""
        if self.assignment is not None and self.gathered is not None and self.gathered.assigned:
            self.gathered.warn_of_missing()
            self.assignment.take_over(self.gathered)

    @override
    def on_train_epoch_start(self) -> None:
        if self.gathered is not None:
            self.gathered.reset()

    @override
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.trainer.is_last_batch:  # of the epoch: what validates it has its labels
            self._assign()

    @override
    def on_validation_epoch_start(self) -> None:
        if self.trainer.state.fn == TrainerFn.FITTING and self.assignment is not None and not self.assignment.assigned:
            self._assign()  # in the middle of the first epoch

    @override
    def validation_loss(self) -> float:
        return float(self.validation.loss.compute())

    @override
    def on_test_epoch_start(self) -> None:
        self.testing.confusion.reset()
        self.confusion = None

    @override
    def on_test_epoch_end(self) -> None:
        self.confusion = self.testing.confusion.compute().cpu()

    @override
    def on_fit_start(self) -> None:
        check_payoff(self.net, self.payoff, dict(self.modulators.items()))

    @override
    def on_train_epoch_end(self) -> None:
        if self.assignment is not None and not self.assignment.assigned:
            self._assign()  # of a first epoch that was broken off, as by `max_steps`
        super().on_train_epoch_end()


def _exact(ys: Tensor) -> Tensor:
    return ys.float() if ys.dtype in (torch.bfloat16, torch.float16) else ys

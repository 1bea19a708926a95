"""Sequences of unequal length in one batch: which steps are a sample's own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

__all__ = ["OwnSteps", "decode_padded", "equally_long", "first_sample", "loss_padded", "own_values", "step_mask"]


def step_mask(lengths: Int[Tensor, " batch"], *, steps: int, begin: int = 0) -> Bool[Tensor, " {steps} batch"]:
    """Return which steps of a padded sequence are a sample's own.

    Args:
        lengths: Length of each sample, before the padding at its end [steps].
        steps: Steps to tell of [1].
        begin: The first of them [1].

    Returns:
        True for own steps, False for padding.

    Example:
        >>> step_mask(torch.tensor([3, 1]), steps=3)
        tensor([[ True,  True],
                [ True, False],
                [ True, False]])
    """
    return torch.arange(begin, begin + steps, device=lengths.device)[:, None] < lengths


def equally_long(lengths: Int[Tensor, " batch"]) -> Iterator[tuple[int, Int[Tensor, " part"]]]:
    """Yield every length in a batch, with the samples that have it.

    Args:
        lengths: Length of each sample [steps].

    Example:
        >>> [(length, samples.tolist()) for length, samples in equally_long(torch.tensor([3, 1, 3]))]
        [(1, [1]), (3, [0, 2])]
    """
    for length in lengths.unique().tolist():
        yield length, (lengths == length).nonzero().flatten()


def decode_padded(
    decode: Callable[[Tensor], Tensor],
    outputs: Float[Tensor, "time batch classes"],
    lengths: Int[Tensor, " batch"] | None,
) -> Shaped[Tensor, "batch _"]:
    """Decode each sample's own steps, samples of one length at a time: any readout will do.

    Args:
        decode: Maps an output sequence ``(time, batch, classes)`` to ``(batch, classes)``.
        outputs: Padded output sequences.
        lengths: Length of each sample; None where nothing is padded [steps].

    Returns:
        What the readout says of each sample alone.

    Example:
        >>> outputs = torch.tensor([[[1.0], [1.0]], [[3.0], [9.0]]])
        >>> decode_padded(lambda outputs: outputs.mean(0), outputs, torch.tensor([2, 1]))
        tensor([[2.],
                [1.]])
    """
    if lengths is None:
        return decode(outputs)
    parts, places = [], []
    for length, samples in equally_long(lengths):
        parts.append(decode(outputs[:length, samples]))
        places.append(samples)
    return torch.cat(parts)[torch.cat(places).argsort()]


def loss_padded(
    loss: Callable[[Tensor, Tensor], Tensor],
    outputs: Float[Tensor, "time batch classes"],
    labels: Int[Tensor, " batch"],
    lengths: Int[Tensor, " batch"] | None,
) -> Float[Tensor, ""]:
    """Take a loss of whole sequences of each sample's own steps: the mean over samples.

    Args:
        loss: ``loss(outputs, labels)``, a mean over the batch.
        outputs: Padded output sequences.
        labels: True classes.
        lengths: Length of each sample; None where nothing is padded [steps].

    Returns:
        The loss [1].

    Example:
        >>> outputs = torch.tensor([[[1.0], [1.0]], [[3.0], [9.0]]])
        >>> loss_padded(lambda outputs, labels: outputs.mean(), outputs, torch.zeros(2).long(), torch.tensor([2, 1]))
        tensor(1.5000)
    """
    if lengths is None:
        return loss(outputs, labels).mean()  # snnTorch's have shape (1,)
    total = outputs.new_zeros(())
    for length, samples in equally_long(lengths):
        total = total + loss(outputs[:length, samples], labels[samples]).mean() * len(samples)
    return total / len(labels)


def own_values(
    xs: Shaped[Tensor, "time batch *neurons"], lengths: Int[Tensor, " batch"] | None
) -> Shaped[Tensor, "own_steps _ *neurons"]:
    """Return the own steps of all samples, one sample after another, as one sequence without padding.

    Args:
        xs: Padded sequences.
        lengths: Length of each sample; None where nothing is padded: they then stay as they are [steps].

    Example:
        >>> own_values(torch.tensor([[[1], [2]], [[3], [0]]]), torch.tensor([2, 1])).flatten()
        tensor([1, 3, 2])
    """
    if lengths is None:
        return xs
    return xs.movedim(1, 0)[step_mask(lengths, steps=len(xs)).T].unsqueeze(1)


def first_sample(x: Any, lengths: Int[Tensor, " batch"] | None = None) -> Any:
    """Return a copy of the first sample of a batch, without its padding, as a batch of one.

    Args:
        x: Samples, ``(batch, time, *features)``, or several of these by address.
        lengths: Length of each sample; None where nothing is padded [steps].

    Example:
        >>> first_sample({"eye": torch.zeros(3, 9, 5)}, torch.tensor([4, 9, 2]))["eye"].shape
        torch.Size([1, 4, 5])
    """
    if isinstance(x, Mapping):
        return {address: first_sample(each, lengths) for address, each in x.items()}
    return x[:1, : None if lengths is None else int(lengths[0])].clone()


class OwnSteps:
    """Tell, for a module that is called with one stretch of a batch after another, which of them are own steps.

    Args:
        lengths: Length of each sample [steps].

    Example:
        >>> own = OwnSteps(torch.tensor([3, 1]))
        >>> own(torch.ones(2, 2, 5)).tolist()  # (time, batch, *features)
        [[True, True], [True, False]]
        >>> own(torch.ones(2, 5), leading=1).tolist()  # the third step, time and batch together
        [True, False]
    """

    def __init__(self, lengths: Int[Tensor, " batch"]) -> None:
        self.lengths = lengths
        self.seen = 0

    def __call__(self, xs: Tensor, *, leading: int = 2) -> Tensor:
        """Return a mask of the leading axes of the next stretch.

        Args:
            xs: Values, ``(time, batch, *features)``, or ``(time * batch, *features)``.
            leading: 2 or 1, which of them [1].

        Raises:
            ValueError: Values of another batch.
        """
        batch = len(self.lengths)
        rows = xs.shape[:leading].numel()
        if rows % batch or (leading == 2 and xs.shape[1] != batch):
            raise ValueError(
                f"Expected what runs in a batch with `lengths` to keep its {batch} samples apart, as (time, batch, "
                f"...), got shape {tuple(xs.shape)}."
            )
        mask = step_mask(self.lengths, steps=rows // batch, begin=self.seen)
        self.seen += rows // batch
        return mask if leading == 2 else mask.flatten()

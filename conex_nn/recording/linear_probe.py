"""What can be read from a population by a weighted sum of its neurons."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Decoding", "linear_probe"]


class Decoding(NamedTuple):
    """How well labels are read from responses."""

    accuracy: Tensor
    """Share of trials that were read correctly, of each fold [1]."""
    confusion: Tensor
    """Trials by true class (rows) and class that was read (columns), all folds together [1]."""
    chance: float
    """Accuracy of always naming the most frequent class [1]."""


def linear_probe(
    responses: Float[Tensor, " trials *neurons"],
    labels: Int[Tensor, " trials"],
    *,
    folds: int = 5,
    penalty: float = 1.0,
    generator: torch.Generator | None = None,
) -> Decoding:
    """Decode labels by a logistic regression that was fitted to other trials (cross-validation).

    Every neuron is scaled by its mean and spread over the trials that are fitted. From a silent population nothing can
    be read: the accuracy is chance.

    Args:
        responses: Of each trial, such as counts of spikes.
        labels: Class of each trial.
        folds: Parts into which the trials are split; each is read once by what was fitted to the others [1].
        penalty: Strength of the penalty on squared weights [1].
        generator: Draws which trial is in which part; None for torch's own.

    Returns:
        Accuracies, and which class was taken for which.

    Raises:
        ValueError: Not as many labels as trials, one class only, a class of fewer trials than there are parts.

    Example:
        >>> labels = torch.arange(40) % 2
        >>> linear_probe(torch.stack([labels.float(), torch.rand(40)], 1), labels).accuracy
        tensor([1., 1., 1., 1., 1.])
    """
    # Imported here: scikit-learn is of use where something is decoded only.
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes, true = _classes(responses, labels, folds)
    if not penalty > 0:
        raise ValueError(f"Expected `penalty` to be positive [1], got {penalty}.")
    seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device if generator else None))
    x, y = responses.detach().flatten(1).double().cpu().numpy(), true.cpu().numpy()
    accuracies, confusion = [], torch.zeros(classes, classes, dtype=torch.long)
    for fitted, held in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y):
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=2000))
        read = torch.as_tensor(probe.fit(x[fitted], y[fitted]).predict(x[held]))
        meant = torch.as_tensor(y[held])
        accuracies.append((read == meant).double().mean())
        confusion += torch.bincount(meant * classes + read, minlength=classes**2).reshape(classes, classes)
    chance = float(torch.bincount(true).max()) / len(true)
    return Decoding(torch.stack(accuracies).float(), confusion, chance)


def _classes(responses: Tensor, labels: Tensor, folds: int) -> tuple[int, Tensor]:
    """Return how many classes there are, and the place of each label among them."""
    if labels.dim() != 1 or len(labels) != len(responses):
        raise ValueError(
            f"Expected `labels` to be one for each of the {len(responses)} trials of `responses`, got shape "
            f"{tuple(labels.shape)}."
        )
    _, place, number = torch.unique(labels, return_inverse=True, return_counts=True)
    if len(number) < 2:
        raise ValueError(f"Expected `labels` of at least two classes, got {len(number)}.")
    if not 2 <= folds <= int(number.min()):
        raise ValueError(
            f"Expected `folds` from 2 to the {int(number.min())} trials of the rarest class [1], got {folds}."
        )
    return len(number), place

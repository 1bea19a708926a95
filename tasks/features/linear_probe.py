"""What a linear readout can make of fixed features: several strengths of weight decay at once, one chosen."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from rich.progress import Progress
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

__all__ = ["Probe", "fit_probe", "spread"]


@dataclass(frozen=True)
class Probe:
    """A linear classifier of standardised features."""

    linear: nn.Linear
    """Features to scores of classes."""
    mean: Tensor
    """Mean of each training feature, taken off [1]."""
    scale: Tensor
    """Divisor of each feature [1]."""
    weight_decay: float
    """The decay that was chosen [1]."""
    validation: float
    """Accuracy on the validation part, by which it was chosen [1]."""

    @torch.no_grad()
    def predict(self, features: Tensor) -> Tensor:
        """Return the class of each sample, ``(samples, features)`` to ``(samples,)``."""
        return torch.cat([self.linear((x - self.mean) / self.scale).argmax(1) for x in features.split(4096)])


def spread(features: Tensor) -> Tensor:
    """Return by what features are divided: their deviation, held away from 0 for those that hardly ever differ.

    Args:
        features: ``(samples, features)`` [1].
    """
    return features.std(0, correction=0) + 0.02


def fit_probe(
    features: Tensor,
    labels: Tensor,
    validation: tuple[Tensor, Tensor],
    *,
    classes: int,
    epochs: int,
    weight_decays: tuple[float, ...] = (0.03, 0.3, 3.0),
    lr: float = 3e-3,
    batch_size: int = 256,
    seed: int = 0,
    title: str = "linear probe",
) -> Probe:
    """Train linear classifiers of different weight decay side by side, and return that which validation prefers.

    Args:
        features: Those of the training part, ``(samples, features)`` [1].
        labels: Their classes [1].
        validation: Features and labels of the validation part [1].
        classes: Number of classes [1].
        epochs: Passes over the training part [1].
        weight_decays: Those of AdamW to choose from [1].
        lr: Largest learning rate of the one-cycle schedule [1].
        batch_size: Samples of a batch [1].
        seed: Seed of their order [1].
        title: What the progress bar says.
    """
    generator = torch.Generator().manual_seed(seed)
    mean, scale = features.mean(0), spread(features)
    probes = [nn.Linear(features.shape[1], classes) for _ in weight_decays]
    for probe in probes:
        nn.init.zeros_(probe.weight)
        nn.init.zeros_(probe.bias)
    groups = [
        {"params": probe.parameters(), "weight_decay": decay}
        for probe, decay in zip(probes, weight_decays, strict=True)
    ]
    optimizer = torch.optim.AdamW(groups, lr=lr)
    batches = -(-len(features) // batch_size)
    schedule = OneCycleLR(optimizer, lr, total_steps=max(epochs * batches, 20), pct_start=0.1)  # 10 divide by 0
    with Progress(transient=True) as progress:
        bar = progress.add_task(title, total=epochs * batches)
        for _ in range(epochs):
            for chosen in torch.randperm(len(features), generator=generator).split(batch_size):
                x = (features[chosen] - mean).div_(scale)
                weight, bias = torch.cat([p.weight for p in probes]), torch.cat([p.bias for p in probes])
                scores = F.linear(x, weight, bias).view(len(x) * len(probes), classes)  # all probes in one product
                loss = F.cross_entropy(scores, labels[chosen].repeat_interleave(len(probes))) * len(probes)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                progress.advance(bar)
    fitted = [Probe(probe, mean, scale, decay, 0.0) for probe, decay in zip(probes, weight_decays, strict=True)]
    accuracies = [(probe.predict(validation[0]) == validation[1]).float().mean().item() for probe in fitted]
    best = max(range(len(fitted)), key=accuracies.__getitem__)
    return Probe(probes[best], mean, scale, weight_decays[best], accuracies[best])

"""Neurons that stand for classes, and learn by reward and punishment which images are theirs.

Mozafari et al., First-spike-based visual categorization using reward-modulated STDP, IEEE Transactions on Neural
Networks and Learning Systems 29 (2018), and Bio-inspired digit recognition using reward-modulated STDP in deep
convolutional networks, Pattern Recognition 94 (2019).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

import conex_nn as cx
from conex_nn.plasticity import Chain, Clip, LearningRate, Modulated, Payoff, Product, chain, learn
from tasks.first_spikes.layer import FirstSpikeSTDP, forget

__all__ = ["Amounts", "Decision", "Shares", "Teacher", "right_or_wrong"]


class Amounts(NamedTuple):
    """What reward and punishment do to the neuron that has decided [1]."""

    rewarded: tuple[float, float] = (0.04, 0.03)
    """Strengthening of the sources that have fired, and weakening of the others, at a reward of 1."""
    punished: tuple[float, float] = (0.04, 0.005)
    """Weakening of the sources that have fired, and strengthening of the others, at a punishment of 1."""


class Decision(nn.Module):
    """Neurons that integrate a wave of spikes; the one of the highest potential at its end fires and decides.

    Each stands for a class from the start; nothing reads them out but the name of the winner.

    Args:
        features: Number of sources [1].
        classes: Number of classes [1].
        maps: Neurons of each class [1].
    """

    stands_for: Tensor
    """Class of each neuron [1]."""

    def __init__(self, features: int, *, classes: int, maps: int) -> None:
        super().__init__()
        self.synapse = cx.Dense(features, classes * maps, init=forget)
        self.register_buffer("stands_for", torch.arange(classes).repeat_interleave(maps))

    @override
    @torch.no_grad()
    def forward(self, fired: Tensor, *, dropout: float = 0.0) -> Tensor:
        """Return the spike of the neuron that decides, none where no source has fired: ``(batch, neurons)``.

        Args:
            fired: Which sources have fired by the end of the wave, ``(batch, features)`` [1].
            dropout: Share of neurons, drawn for each image, that may not decide [1].
        """
        potential = self.synapse(fired)
        if dropout:
            potential = potential.masked_fill(torch.rand_like(potential) < dropout, 0)
        highest, winner = potential.max(1, keepdim=True)
        return torch.zeros_like(potential).scatter_(1, winner, (highest > 0).to(potential.dtype))

    def named(self, spikes: Tensor) -> Tensor:
        """Return the class for which the winner stands, -1 where none has fired: ``(batch,)``."""
        return torch.where(spikes.any(1), self.stands_for[spikes.argmax(1)], -1)


def right_or_wrong(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return 1 for each right decision, -1 for a wrong one, 0 for none.

    Args:
        outputs: Classes, -1 for no decision, ``(batch,)`` [1].
        targets: True classes, ``(batch,)`` [1].
    """
    return torch.where(outputs == targets, 1.0, torch.where(outputs < 0, 0.0, -1.0))


class Shares(nn.Module):
    """Scales rewards by the share of recent misses, and punishments by that of hits: what is known teaches little.

    Args:
        classes: Number of classes: before anything is seen, decisions are right by chance [1].
        window: Images over which the shares are taken [1].
    """

    misses: Tensor
    """Share of misses among recent decisions [1]."""

    def __init__(self, classes: int, *, window: int = 1000) -> None:
        super().__init__()
        self.window = window
        self.register_buffer("misses", torch.tensor(1 - 1 / classes))

    @override
    def forward(self, payoff: Tensor) -> dict[str, Tensor]:
        """Return the modulators of a batch, and count its hits and misses.

        Args:
            payoff: Positive for a reward, negative for a punishment, ``(batch,)`` [1].
        """
        reward, punishment = payoff.clamp(min=0) * self.misses, payoff.clamp(max=0) * (1 - self.misses)
        found = (payoff <= 0).float().mean()
        self.misses += min(1.0, len(payoff) / self.window) * (found - self.misses)
        return {"reward": reward[None], "punishment": punishment[None]}


class Teacher:
    """Teaches neurons to decide, by one payoff for each image.

    Args:
        decision: The neurons.
        classes: Number of classes [1].
        amounts: What reward and punishment do.
        batch_size: Images of an update, each of which counts in full [1].
        dropout: Share of neurons that may not decide while they learn [1].
        rate: Factor of all changes by the number of updates so far [1].
        payoff: Says by decisions and true classes what each image earns.
    """

    def __init__(
        self,
        decision: Decision,
        *,
        classes: int,
        amounts: Amounts,
        batch_size: int,
        dropout: float,
        rate: Callable[[Tensor], Tensor | float] = lambda updates: 1.0,
        payoff: Payoff = right_or_wrong,
    ) -> None:
        def when(name: str, a_plus: float, a_minus: float) -> Chain:
            learning = FirstSpikeSTDP(a_plus=a_plus, a_minus=a_minus)
            in_full = LearningRate(lambda updates: rate(updates) * batch_size)
            return chain(learning, Product(0, 1), in_full, Modulated(name), Clip(0, 1))

        self.decision, self.dropout, self.payoff = decision, dropout, payoff
        self.rules = [when("reward", *amounts.rewarded), when("punishment", *amounts.punished)]
        self.shares = Shares(classes)
        for rule in self.rules:
            rule.check(decision.synapse)

    @torch.no_grad()
    def teach(self, fired: Tensor, labels: Tensor) -> int:
        """Let the neurons decide on a batch, and learn from what that earns; return how many were right.

        Args:
            fired: Which sources have fired, ``(batch, features)`` [1].
            labels: True classes, ``(batch,)`` [1].
        """
        spikes = self.decision(fired, dropout=self.dropout)
        payoff = self.payoff(self.decision.named(spikes), labels)
        modulators = self.shares(payoff)
        for rule in self.rules:
            learn(rule, self.decision.synapse, None, fired[None], spikes[None], modulators, keep_state=False)
        return int((payoff > 0).sum())

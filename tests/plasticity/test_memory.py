"""No rule makes a tensor of every sample and every synapse."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from conex_nn.synapses import Dense

from .rules import RULES


class Largest(TorchDispatchMode):
    """Notes the largest tensor that is made."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        made = [leaf.untyped_storage().nbytes() // 4 for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        self.numel = max([self.numel, *made])
        return out


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kind", [nn.Linear, Dense])
def test_nothing_is_larger_than_weight_or_sequence(name, kind):
    steps, batch, n, m = 8, 20, 90, 70
    synapse, rule = kind(n, m), RULES[name]()
    pre, post = (torch.rand(steps, batch, n) < 0.1).float(), (torch.rand(steps, batch, m) < 0.1).float()
    modulators = {"dopamine": torch.rand(steps, batch), "novelty": torch.rand(steps)}
    v = torch.randn(steps, batch, m)
    with Largest() as largest:
        rule.update(synapse, None, pre, post, modulators, v=v, keep_state=False)
        if "dopamine" not in rule.modulators():
            rule.update(synapse, None, pre[:1], post[:1], {"novelty": 1.0}, v=v[:1])
    assert n * m <= largest.numel <= max(n * m, steps * batch * n)
    assert largest.numel < batch * n * m

"""Rate rules do what they are for."""

import torch
from torch import nn

from conex_nn.plasticity import BCM, Oja, apply_change


def test_oja_finds_the_first_principal_component():
    x = torch.randn(4000, 3).double() @ torch.diag(torch.tensor([2.0, 0.7, 0.4]).double())
    turned = x @ torch.linalg.qr(torch.randn(3, 3).double())[0]
    layer, rule = nn.Linear(3, 1, bias=False).double(), Oja(rate=0.02)
    for batch in turned.split(20):
        for _ in range(3):
            xs = batch[None]
            apply_change(rule, layer, rule.update(layer, None, xs, layer(xs))[0])
    first = torch.linalg.eigh(turned.T @ turned).eigenvectors[:, -1]
    w = layer.weight.detach()[0]
    assert abs((w @ first).item()) > 0.97
    assert abs(w.norm().item() - 1) < 0.1


def test_bcm_makes_a_neuron_selective():
    patterns = torch.eye(2).double() + 0.1
    layer, rule = nn.Linear(2, 1, bias=False).double(), BCM(rate=0.002, target=1.0, tau_theta=50.0)
    layer.weight.data = torch.tensor([[0.52, 0.5]]).double()
    for _ in range(1500):
        xs = patterns[torch.randint(2, (20, 1))]
        apply_change(rule, layer, rule.update(layer, None, xs, layer(xs))[0])
    weak, strong = sorted(layer(patterns).flatten().tolist())
    assert abs(weak) < 0.1
    assert abs(strong - 2) < 0.4  # half of the time y, and else 0: the threshold y^2 / 2 meets y there

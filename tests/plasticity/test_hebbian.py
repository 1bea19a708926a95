"""The Hebbian product of torch's own layers, and of any module, beside autograd."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from conex_nn.plasticity import hebbian
from conex_nn.synapses import AvgPool2d, Dense


class Shift(nn.Module):
    """A user's own: linear in its weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4))

    def forward(self, x):
        return (x * self.weight).roll(1, -1)


CASES = {
    "Linear": (lambda: nn.Linear(4, 3), (4,)),
    "Conv1d": (lambda: nn.Conv1d(2, 3, 3, stride=2), (2, 9)),
    "Conv2d": (lambda: nn.Conv2d(2, 4, (3, 2), padding=1, groups=2), (2, 5, 6)),
    "Conv2d dilated": (lambda: nn.Conv2d(2, 4, 2, dilation=2, bias=False), (2, 5, 6)),
    "Conv2d circular": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (2, 5, 6)),
    "Conv2d same": (lambda: nn.Conv2d(2, 3, 3, padding="same"), (2, 5, 6)),
    "Conv3d": (lambda: nn.Conv3d(1, 2, 2), (1, 3, 4, 3)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 3, 3), (2, 4, 4)),
    "own": (Shift, (4,)),
    "synapse": (lambda: Dense(4, 3), (4,)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_derivative_of_the_overlap(name):
    make, source = CASES[name]
    module = make().double()
    pre = torch.rand(5, 2, *source).double()
    flat = module(pre.flatten(0, 1))
    post = torch.rand(5, 2, *flat.shape[1:]).double()
    weight = module.weight.detach().clone().requires_grad_()
    ((functional_call(module, {"weight": weight}, (pre.flatten(0, 1),))) * post.flatten(0, 1)).sum().backward()
    product = hebbian(module, pre, post)
    torch.testing.assert_close(product, weight.grad, rtol=1e-12, atol=1e-12)
    assert not product.requires_grad


def test_in_inference_mode():
    with torch.inference_mode():
        hebbian(Shift(), torch.ones(2, 1, 4), torch.ones(2, 1, 4))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.AvgPool2d(2), "a weight to learn, got AvgPool2d, which has none"),
        (AvgPool2d((1, 2, 2), (1, 1, 1)), "a weight to learn, got AvgPool2d, which has none"),
        (torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), "weight is computed from others"),
    ],
)
def test_what_has_no_weight_cannot_learn(module, message):
    with pytest.raises(TypeError, match=message):
        hebbian(module, torch.ones(2, 1, 4), torch.ones(2, 1, 3))


@pytest.mark.parametrize(
    ("module", "pre", "post", "message"),
    [
        (nn.Linear(4, 3), (2, 1, 4), (2, 1, 4), r"`pre` \(..., 4\) and `post` \(..., 3\)"),
        (nn.Linear(4, 3), (2, 1, 4), (3, 1, 3), "the same leading axes"),
        (nn.Conv2d(1, 2, 3), (2, 1, 1, 5, 5), (2, 1, 2, 4, 4), r"what Conv2d makes of `pre`, \(2, 2, 3, 3\)"),
        (Shift(), (2, 1, 4), (2, 1, 5), "the output of Shift"),
        (Dense(4, 3), (2, 1, 4), (2, 1, 5), "`post` of shape"),
    ],
)
def test_shapes_that_do_not_fit(module, pre, post, message):
    with pytest.raises(ValueError, match=message):
        hebbian(module, torch.ones(pre), torch.ones(post))

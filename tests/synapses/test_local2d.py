"""Local receptive fields against a convolution."""

import torch
from torch.testing import assert_close

from conex_nn.synapses import Conv2d, Local2d


def test_with_one_kernel_everywhere_it_is_a_convolution():
    shared = Conv2d((2, 6, 5), (3, 3, 2), kernel_size=(3, 4), stride=2, padding=(1, 1))
    own = Local2d(
        (2, 6, 5), (3, 3, 2), kernel_size=(3, 4), stride=2, padding=(1, 1),
        weight=shared.weight.flatten(1)[:, None].expand(3, 6, 24),
    )  # fmt: skip
    spikes, post = torch.rand(4, 2, 6, 5), torch.rand(4, 3, 3, 2)
    assert_close(own(spikes), shared(spikes))
    assert_close(own.hebbian(spikes, post).sum(1).reshape(shared.weight.shape), shared.hebbian(spikes, post))

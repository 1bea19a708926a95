"""Synaptic operations, against the products that are not 0, counted one by one."""

import pytest
import torch
from torch import nn

import conex_nn as cx
from conex_nn.training import SynapticOperations, synaptic_operations

CONVOLUTIONS = [
    (nn.Conv1d(2, 3, 3), (4, 2, 9)),
    (nn.Conv1d(2, 3, 4, stride=3, padding=2, dilation=2), (4, 2, 13)),
    (nn.Conv2d(2, 6, (3, 2), stride=(2, 1), padding=(1, 0), groups=2), (2, 2, 7, 6)),
    (nn.Conv2d(1, 4, 5, padding="same"), (2, 1, 6, 7)),
    (nn.Conv2d(1, 4, 4, padding="same"), (2, 1, 6, 7)),
    (nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), (2, 2, 5, 5)),
    (nn.Conv2d(2, 2, 3, padding=2, padding_mode="reflect"), (2, 2, 5, 5)),
    (nn.Conv3d(1, 2, 2), (2, 1, 3, 4, 5)),
]


def _reference_operations(synapse, x):
    """With all weights 1 and no bias, every product that is not 0 adds 1 to an output."""
    ones = type(synapse)(
        synapse.in_channels, synapse.out_channels, synapse.kernel_size, stride=synapse.stride, padding=synapse.padding,
        dilation=synapse.dilation, groups=synapse.groups, bias=False, padding_mode=synapse.padding_mode,
    )  # fmt: skip
    nn.init.ones_(ones.weight)
    with torch.no_grad():
        return ones((x != 0).float()).sum()


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize(("synapse", "shape"), CONVOLUTIONS, ids=lambda value: str(value))
def test_convolutions_are_counted_exactly(synapse, shape):
    x = (torch.rand(shape) < 0.4).float() * 0.7
    assert synaptic_operations(synapse, x) == _reference_operations(synapse, x)


def test_an_input_without_batch():
    synapse = nn.Conv2d(1, 2, 3)
    assert synaptic_operations(synapse, torch.ones(1, 3, 4)) == 2 * 9 * 2


def test_linear():
    assert synaptic_operations(nn.Linear(3, 7), torch.tensor([[[1.0, 0.0, -2.0]], [[0.0, 0.0, 1.0]]])) == 21


SYNAPSES = [
    cx.Dense((2, 3), 4),
    cx.Dense(6, 6, self_connections=False),
    cx.Sparse(6, 5, density=0.4),
    cx.Sparse(6, 5, edges=([0, 0, 5], [1, 1, 4])),
    cx.OneToOne(6, (2, 3)),
    cx.Conv2d((2, 5, 4), (3, 2, 4), kernel_size=3, stride=2, padding=(0, 3)),
    cx.Local2d((2, 5, 4), (3, 3, 2), kernel_size=3),
    cx.Lateral((2, 4, 3), (2, 4, 3), kernel_size=(1, 3, 3), centre=False),
]


@pytest.mark.parametrize("synapse", SYNAPSES, ids=str)
def test_synapses_are_counted_exactly(synapse):
    """With all weights 1, every product that is not 0 adds 1 to a target."""
    x = (torch.rand(4, 2, *synapse.source_shape) < 0.4).float() * 0.7
    ones = torch.ones_like(synapse.weight) if synapse.mask is None else synapse.mask.float()
    assert synaptic_operations(synapse, x) == synapse.project((x != 0).float(), ones).sum()


def test_a_synapse_without_weights_has_no_operations():
    assert synaptic_operations(cx.AvgPool2d((1, 4, 4), (1, 2, 2)), torch.ones(3, 1, 4, 4)) == 0


def test_a_synapse_of_ones_own_and_an_unknown_one():
    class Own(nn.Module): ...

    with pytest.raises(TypeError, match=r"a Linear or a convolution, got Own. .*@synaptic_operations.register"):
        synaptic_operations(Own(), torch.ones(2))
    synaptic_operations.register(Own, lambda synapse, x: x.count_nonzero())
    assert synaptic_operations(Own(), torch.ones(2)) == 2


def test_mean_per_sample():
    metric = SynapticOperations()
    metric.update(torch.tensor(30), samples=2)
    metric.update(torch.tensor(10), samples=2)
    assert metric.compute() == 10

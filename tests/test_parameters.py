"""How constants are kept, and what is refused."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.neurons import LIF
from conex_nn.parameters import register, require_above


def keep(value, **options):
    module = LIF()
    register(module, "x", value, unit="ms", **options)
    return module


@pytest.mark.parametrize(
    ("value", "shape"), [(3, (1,)), (3.0, (1,)), (torch.tensor(3), (1,)), (torch.ones(2, 4), (2, 4))]
)
def test_fixed_constants_are_buffers_of_the_default_dtype(value, shape):
    module = keep(value)
    assert module.x.shape == shape
    assert module.x.dtype == torch.float32
    assert "x" in module.state_dict()
    assert "x" not in dict(module.named_parameters())


def test_a_buffer_is_a_copy():
    value = torch.ones(3)
    module = keep(value)
    value.fill_(7)
    assert_close(module.x, torch.ones(3))


def test_a_parameter_is_kept_itself_so_that_an_optimizer_made_before_still_moves_it():
    value = nn.Parameter(torch.ones(3))
    assert keep(value).x is value


def test_a_positive_parameter_is_kept_as_its_logarithm():
    module = keep(nn.Parameter(torch.tensor([2.0, 5.0])), positive=True)
    assert_close(module.log_x, torch.tensor([2.0, 5.0]).log())
    assert_close(module.x, torch.tensor([2.0, 5.0]))
    assert not keep(nn.Parameter(torch.ones(1), requires_grad=False), positive=True).log_x.requires_grad
    with pytest.raises(AttributeError, match="nothing"):
        _ = module.nothing


@pytest.mark.parametrize("value", ["3 ms", None, [object()], 1 + 2j])
def test_what_is_no_number(value):
    with pytest.raises(TypeError, match=r"Expected `x` to be a (real )?number or (a )?tensor \[ms\]"):
        keep(value)


@pytest.mark.parametrize("value", [torch.tensor([1 + 2j]), torch.tensor([True])])
def test_a_tensor_that_is_not_real(value):
    with pytest.raises(TypeError, match=r"`x` to be a real number or tensor \[ms\], got torch\.(complex64|bool)"):
        keep(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor([1.0, float("nan")])])
def test_a_value_that_is_not_finite(value):
    with pytest.raises(ValueError, match=r"`x` to be finite \[ms\]"):
        keep(value)


@pytest.mark.parametrize(
    ("value", "got"), [(0.0, "0"), (-1.0, "-1"), (torch.tensor([-2.0, 3.0]), "values from -2 to 3")]
)
def test_a_value_that_is_not_positive(value, got):
    with pytest.raises(ValueError, match=rf"`x` to be positive \[ms\], got {got}"):
        keep(value, positive=True)


def test_a_negative_value():
    assert keep(0.0, not_negative=True).x == 0
    with pytest.raises(ValueError, match=r"`x` not to be negative \[ms\], got -1"):
        keep(-1.0, not_negative=True)


def test_require_above():
    require_above(torch.ones(2), torch.zeros(1), names=("a", "b"), unit="mV")
    with pytest.raises(ValueError, match=r"`a` to be above `b` \[mV\], got 1 against values from 0 to 2"):
        require_above(torch.ones(1), torch.tensor([0.0, 2.0]), names=("a", "b"), unit="mV")


def test_made_on_the_meta_device_nothing_is_checked_and_all_is_kept():
    with torch.device("meta"):
        module = keep(-1.0, positive=True)
    assert module.x.is_meta

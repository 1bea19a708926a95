import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import ConstantCurrent


def test_every_step_is_the_scaled_intensity():
    x = torch.rand(3, 4)
    current = ConstantCurrent(6, gain=2.5)(x)
    assert_close(current, torch.stack([2.5 * x] * 6))


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_it_is_a_view_of_one_step(gain):
    current = ConstantCurrent(1000, gain=gain)(torch.rand(3, 4))
    assert current.stride(0) == 0
    assert current.untyped_storage().nbytes() == 3 * 4 * 4


def test_the_gradient_sums_over_steps():
    x = torch.rand(3, requires_grad=True)
    ConstantCurrent(5, gain=2.0)(x).sum().backward()
    assert_close(x.grad, torch.full((3,), 10.0))


def test_the_type_can_be_chosen():
    assert ConstantCurrent(5, dtype=torch.bfloat16)(torch.rand(3)).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.int64])
def test_a_current_is_floating_point(dtype):
    with pytest.raises(TypeError, match="Expected `dtype` to be a floating type, for a current, got"):
        ConstantCurrent(5, dtype=dtype)

"""Modules between an image and its encoder."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from conex_nn.encoders import Latency
from conex_nn.encoders.filters import (
    Convolve,
    LateralInhibition,
    LocalNormalise,
    PeakNormalise,
    SplitPolarity,
    Squeeze,
    SwapAxes,
    Unsqueeze,
    difference_of_gaussians,
    gabor_bank,
)

EVERY = {
    "convolve": lambda: Convolve(torch.rand(4, 3, 3, 3), padding="same"),
    "split": SplitPolarity,
    "local": lambda: LocalNormalise(2),
    "peak": PeakNormalise,
    "inhibition": lambda: LateralInhibition([0.2, 0.1]),
    "unsqueeze": lambda: Unsqueeze(-1),
    "squeeze": Squeeze,
    "swap": lambda: SwapAxes(-1, -2),
}


@pytest.mark.parametrize("name", EVERY)
def test_laws_of_all(name):
    x = torch.randn(5, 3, 8, 9).abs()
    before = x.clone()
    module = EVERY[name]()
    y = module(x)
    assert_close(x, before, rtol=0, atol=0)
    assert_close(module(x[2]), y[2])  # a sample as in a batch
    assert_close(module(x.unflatten(0, (1, 5))).squeeze(0) if name != "squeeze" else y, y)  # and in a batch of batches
    assert module(x.bfloat16()).dtype == torch.bfloat16
    assert module(x.double()).dtype == torch.float64
    assert copy.deepcopy(module).to("meta")(x.to("meta")).shape == y.shape
    assert repr(module).startswith(type(module).__name__ + "(")


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (1, "same")])
def test_a_convolution_is_torchs(stride, padding):
    kernels, x = torch.randn(4, 2, 3, 5), torch.randn(6, 2, 10, 11)
    expected = F.conv2d(x, kernels, stride=stride, padding=padding)
    convolve = Convolve(kernels, stride=stride, padding=padding)
    assert_close(convolve(x), expected)
    in_time = convolve(x.unflatten(0, (3, 2)))
    assert_close(in_time, expected.unflatten(0, (3, 2)))
    assert list(convolve.parameters()) == []
    assert list(dict(convolve.named_buffers())) == ["kernels"]


def test_kernels_of_two_and_three_dimensions():
    x, kernels = torch.randn(2, 1, 8, 8), torch.randn(3, 5, 5)
    assert_close(Convolve(kernels)(x), F.conv2d(x, kernels[:, None]))
    assert_close(Convolve(kernels[1])(x), F.conv2d(x, kernels[1:2, None]))


def test_spikes_can_be_filtered():
    x = torch.rand(2, 1, 8, 8) < 0.5
    assert_close(Convolve(torch.ones(3, 3))(x), F.conv2d(x.float(), torch.ones(1, 1, 3, 3)))


def test_later_changes_of_the_kernels_given_change_nothing():
    kernels = torch.ones(3, 3)
    convolve = Convolve(kernels)
    kernels.zero_()
    assert convolve(torch.ones(1, 3, 3)).item() == 9


def test_polarities_are_parts_of_the_whole():
    x = torch.randn(4, 2, 5, 5)
    on, off = SplitPolarity()(x).chunk(2, -3)
    assert_close(on - off, x, rtol=0, atol=0)
    assert_close(on + off, x.abs(), rtol=0, atol=0)
    assert not torch.signbit(SplitPolarity(-1)(torch.tensor([0.0, -0.0, 1.0]))).any()


def test_the_surroundings_of_a_pixel():
    x = torch.rand(2, 3, 7, 8, dtype=torch.float64)
    y = LocalNormalise(1, epsilon=0.1)(x)
    assert float(y[1, 2, 3, 4]) == pytest.approx(float(x[1, 2, 3, 4] / (x[1, 2, 2:5, 3:6].mean() + 0.1)))
    assert float(y[0, 1, 0, 0]) == pytest.approx(float(x[0, 1, 0, 0] / (x[0, 1, :2, :2].sum() / 9 + 0.1)))


def test_local_contrast_is_the_same_in_light_and_shadow():
    x = torch.rand(1, 9, 9) + 0.1
    assert_close(LocalNormalise(2)(0.05 * x), LocalNormalise(2)(x), rtol=1e-3, atol=0)


def test_each_sample_in_parts_of_its_strongest():
    x = torch.rand(4, 2, 5, 5) * torch.tensor([1.0, 0.1, 7.0, 0.0]).view(4, 1, 1, 1)
    y = PeakNormalise()(x)
    assert y.amax((1, 2, 3)).tolist() == [1, 1, 1, 0]
    assert_close(y[2], x[2] / x[2].max())
    assert PeakNormalise()(torch.zeros(0, 2, 5, 5)).shape == (0, 2, 5, 5)
    assert_close(PeakNormalise(1)(x)[..., :], x / x.amax(-1, keepdim=True).clamp(min=1e-6))


def _inhibited(x: torch.Tensor, parts: list[float]) -> torch.Tensor:
    height, width = x.shape
    y = x.clone()
    for i in range(height):
        for j in range(width):
            taken = 0.0
            for k in range(height):
                for m in range(width):
                    d = max(abs(k - i), abs(m - j))
                    if 0 < d <= len(parts) and x[k, m] > x[i, j]:
                        taken += parts[d - 1]
            y[i, j] = x[i, j] * max(0.0, 1 - taken)
    return y


@pytest.mark.parametrize("parts", [[0.15], [0.1, 0.05], [0.0, 0.0, 0.2]])
def test_inhibition_is_its_definition(parts):
    x = torch.rand(3, 6, 7).mul(5).round() / 5  # with equals
    assert_close(LateralInhibition(parts)(x), torch.stack([_inhibited(each, parts) for each in x]))


def test_what_is_strongest_around_stays():
    x = torch.rand(1, 12, 12)
    kept = LateralInhibition([0.5, 0.2])(x) == x
    peak = F.max_pool2d(x, 5, stride=1, padding=2) == x
    assert torch.equal(kept, peak)


def test_shapes():
    x = torch.zeros(3, 1, 5)
    assert Unsqueeze(0)(x).shape == (1, 3, 1, 5)
    assert Squeeze()(x).shape == (3, 5)
    assert Squeeze(-2)(x).shape == (3, 5)
    assert SwapAxes(0, 2)(x).shape == (5, 1, 3)
    with pytest.raises(ValueError, match=r"Expected dimension 0 of `x` to be of size 1, got the shape \(3, 1, 5\)"):
        Squeeze(0)(x)


def test_they_compose_with_each_other_and_with_torchvision():
    from torchvision.transforms import v2

    stages = [
        v2.ToDtype(torch.float32, scale=True), Convolve(gabor_bank(5, wavelength=4.0, sigma=2.0), padding="same"),
        SplitPolarity(), LocalNormalise(3), PeakNormalise(), LateralInhibition([0.1]), Latency(10),
    ]  # fmt: skip
    image = torch.randint(256, (2, 1, 12, 12), dtype=torch.uint8)
    spikes = v2.Compose(stages)(image)
    assert spikes.shape == (10, 2, 8, 12, 12)
    assert_close(nn.Sequential(*stages[1:])(image / 255), spikes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Convolve(torch.rand(5)), r"Expected `kernels` to have the shape .* got \(5,\)"),
        (lambda: Convolve(torch.rand(0, 3, 3)), r"Expected `kernels` to have the shape .* got \(0, 3, 3\)"),
        (lambda: Convolve(torch.rand(3, 3), stride=0), "Expected `stride` to be at least 1"),
        (lambda: Convolve(torch.rand(3, 3), padding=-1), "Expected `padding` to be at least 0"),
        (lambda: Convolve(torch.rand(3, 3), stride=2, padding="same"), "Expected `stride` to be 1 with `padding`"),
        (
            lambda: Convolve(torch.rand(3, 3))(torch.rand(2, 8, 8)),
            r"shape \(\*batch, 1, height, width\), got \(2, 8, 8\)",
        ),
        (lambda: SplitPolarity(1), "Expected `dim` to be negative"),
        (lambda: SplitPolarity(-3)(torch.rand(4, 4)), r"Expected `x` to have a dimension -3, got the shape \(4, 4\)"),
        (lambda: LocalNormalise(0), "Expected `radius` to be at least 1"),
        (lambda: LocalNormalise(1, epsilon=0.0), "Expected `epsilon` to be positive"),
        (lambda: LocalNormalise(1)(torch.rand(4, 4)), r"channels, height, width\), got \(4, 4\)|parameter 'x'"),
        (lambda: PeakNormalise(0), "Expected `feature_ndim` to be at least 1"),
        (lambda: PeakNormalise(epsilon=-1.0), "Expected `epsilon` to be positive"),
        (lambda: PeakNormalise(3)(torch.rand(4, 4)), "at least `feature_ndim` = 3 dimensions"),
        (lambda: LateralInhibition([]), r"Expected `parts` to be one or more numbers in \[0, 1\] \[1\], got \[\]"),
        (lambda: LateralInhibition([1.5]), r"got \[1.5\]"),
        (lambda: LateralInhibition([0.1])(torch.rand(4, 4)), r"channels, height, width\), got \(4, 4\)|parameter 'x'"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(Exception, match=message) as caught:
        make()
    assert isinstance(caught.value, ValueError) or "parameter" in str(caught.value)


@pytest.mark.parametrize("layer", [LateralInhibition([0.1]), LocalNormalise(1)])
def test_bytes_are_refused_where_there_is_no_byte_to_give_back(layer):
    with pytest.raises(TypeError, match=r"Expected `x` to be of a floating type, got torch\.uint8"):
        layer(torch.ones(1, 4, 4, dtype=torch.uint8))


@pytest.mark.compile
@pytest.mark.parametrize("name", EVERY)
def test_they_compile_without_a_graph_break(name):
    module, x = EVERY[name](), torch.rand(2, 3, 6, 6)
    assert_close(torch.compile(module, fullgraph=True, backend="eager")(x), module(x))


def test_an_on_cell_sees_a_spot():
    image = torch.zeros(1, 15, 15)
    image[0, 7, 7] = 1
    kernel = difference_of_gaussians(7, centre=1.0, surround=2.0)
    on, off = nn.Sequential(Convolve(kernel, padding="same"), SplitPolarity())(image)
    assert on.argmax() == 7 * 15 + 7
    assert off[7, 7] == 0
    assert off[7, 10] > 0

"""What convolutions and pools demand of their shapes."""

import pytest

from conex_nn.synapses import AvgPool2d, Conv2d, Local2d


@pytest.mark.parametrize("kind", [Conv2d, Local2d])
@pytest.mark.parametrize(
    ("source", "target", "options", "message"),
    [
        (
            (28, 28),
            (8, 24, 24),
            {},
            r"`source_shape` to be \(channels, height, width\), .* One channel is \(1, 28, 28\)",
        ),
        ((1, 28, 28), 400, {}, r"`target_shape` to be \(channels, height, width\), got \(400,\)\.$"),
        (
            (1, 28, 28),
            (8, 28, 28),
            {},
            r"\(\.\.\., 24, 24\), which kernel_size=\(5, 5\), stride=\(1, 1\), padding=\(0, 0\)",
        ),
        ((1, 28, 28), (8, 28, 28), {"padding": 1, "stride": (2, 1)}, r"`target_shape` \(\.\.\., 13, 26\)"),
        (
            (1, 4, 28),
            (8, 1, 24),
            {},
            r"within the padded source \(1, 4, 28\), .* Take a smaller kernel or more padding",
        ),
        ((1, 28, 28), (8, 24, 24), {"kernel_size": 0}, r"`kernel_size` to be a whole number of at least 1, .* got 0"),
        ((1, 28, 28), (8, 24, 24), {"kernel_size": 5.0}, None),
        (
            (1, 28, 28),
            (8, 24, 24),
            {"stride": (1, 1, 1)},
            r"`stride` to be a whole number of at least 1, or two of them",
        ),
        ((1, 28, 28), (8, 24, 24), {"padding": -1}, r"`padding` to be a whole number of at least 0"),
    ],
)
def test_errors(kind, source, target, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        kind(source, target, **{"kernel_size": 5, **options})


def test_errors_of_pooling():
    with pytest.raises(ValueError, match=r"with as many channels, got \(1, 4, 4\) and \(2, 2, 2\): pooling keeps"):
        AvgPool2d((1, 4, 4), (2, 2, 2))
    with pytest.raises(ValueError, match=r"`source_shape` to be \(channels, height, width\)"):
        AvgPool2d((4, 4), (1, 2, 2))
    with pytest.raises(ValueError, match=r"`target_shape` to be \(channels, height, width\)"):
        AvgPool2d((1, 4, 4), 4)

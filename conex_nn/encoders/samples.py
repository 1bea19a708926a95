"""Where a sample ends and a batch begins, for encoders that compare the features of a sample with each other."""

from jaxtyping import Shaped
from torch import Tensor

from conex_nn.encoders.checks import check_count


def check_feature_ndim(feature_ndim: int) -> None:
    """Raise unless `feature_ndim` is a number of dimensions that a sample can have.

    Args:
        feature_ndim: Number of trailing dimensions that make a sample [1].

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is below 1.

    Example:
        >>> check_feature_ndim(3)
    """
    check_count("feature_ndim", feature_ndim)


def flat_samples(x: Shaped[Tensor, "*shape"], feature_ndim: int) -> Shaped[Tensor, "*batch features"]:
    """Put the features of each sample into one dimension.

    Args:
        x: A sample or a batch of them [1].
        feature_ndim: Number of trailing dimensions that make a sample [1].

    Returns:
        The same values, ``(*batch, features)`` [1].

    Raises:
        ValueError: If `x` has fewer dimensions than a sample.

    Example:
        >>> flat_samples(torch.zeros(8, 1, 4, 4), 3).shape
        torch.Size([8, 16])
    """
    if x.ndim < feature_ndim:
        raise ValueError(
            f"Expected `x` to have at least `feature_ndim` = {feature_ndim} dimensions, those of a sample, "
            f"got the shape {tuple(x.shape)}. An image (channels, height, width) has 3, a vector 1."
        )
    return x.flatten(-feature_ndim)

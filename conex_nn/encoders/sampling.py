"""Read images between their pixels."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from conex_nn.encoders.looks import image_size


def sample_at(
    x: Float[Tensor, "*batch channels height width"], points: Float[Tensor, "looks *batch rows columns 2"]
) -> Float[Tensor, "looks *batch channels rows columns"]:
    """Read images at points, interpolating linearly between the centres of pixels; outside there is 0.

    Args:
        x: Images [1].
        points: Row and column of each point; pixel (i, j) covers [i, i + 1) x [j, j + 1) [pixels].

    Returns:
        What is there [1].

    Example:
        >>> image = torch.tensor([[[0.0, 2.0]]])
        >>> sample_at(image, torch.tensor([[[[0.5, 0.5], [0.5, 1.0], [0.5, 1.5]]]])).flatten()
        tensor([0., 1., 2.])
    """
    height, width = image_size(x)
    batch, looks = x.shape[:-3], len(points)
    images = x.reshape(-1, *x.shape[-3:])
    wide = torch.promote_types(x.dtype, torch.float32)
    extent = torch.tensor([width, height], dtype=wide, device=x.device)
    grid = points.to(wide).flip(-1) * (2 / extent) - 1
    grid = grid.reshape(looks, len(images), *points.shape[-3:]).transpose(0, 1)
    read = F.grid_sample(images.to(wide), grid.flatten(1, 2), padding_mode="zeros", align_corners=False)
    read = read.unflatten(2, (looks, points.shape[-3])).movedim(2, 0)
    return read.reshape(looks, *batch, *read.shape[2:]).to(x.dtype)


def check_fixations(
    fixations: Tensor, x: Float[Tensor, "*batch channels height width"]
) -> Float[Tensor, "looks *batch 2"]:
    """Return the fixations of each image, or raise.

    The range is read back from the device once; not on the meta device, nor inside ``torch.compile``.

    Args:
        fixations: Rows and columns, ``(looks, 2)`` for all images or ``(looks, *batch, 2)`` [pixels].
        x: Images [1].

    Raises:
        TypeError: If the images are not of a floating type.
        ValueError: If there is none, the shape does not fit, or one is outside the image.

    Example:
        >>> check_fixations(torch.tensor([[2.0, 3.0]]), torch.zeros(5, 1, 4, 4)).shape
        torch.Size([1, 5, 2])
    """
    height, width = image_size(x)
    if not x.is_floating_point():
        raise TypeError(f"Expected `x` to be of a floating type, got {x.dtype}. Convert it: `x.float()`.")
    batch = x.shape[:-3]
    if fixations.ndim == 2:
        fixations = fixations.view(-1, *[1] * len(batch), 2) if fixations.shape[-1] == 2 else fixations
    fits = fixations.ndim == len(batch) + 2 and all(
        a in (1, b) for a, b in zip(fixations.shape[1:], (*batch, 2), strict=True)
    )
    if not fits or fixations.shape[-1] != 2 or len(fixations) == 0:
        raise ValueError(
            f"Expected fixations of shape (looks, 2) or (looks, {''.join(f'{n}, ' for n in batch)}2) with at least one "
            f"look, got {tuple(fixations.shape)}."
        )
    if not (torch.compiler.is_compiling() or fixations.is_meta):
        extent = torch.tensor([height, width], device=fixations.device)
        outside = ~((fixations >= 0) & (fixations <= extent))  # NaN is outside, too
        if bool(outside.any()):
            first = fixations[outside.any(-1)][0].tolist()
            raise ValueError(
                f"Expected fixations in the image, rows from 0 to {height} and columns from 0 to {width} [pixels], got "
                f"{first}."
            )
    wide = torch.promote_types(x.dtype, torch.float32)
    return fixations.to(x.device, wide).expand(len(fixations), *batch, 2)

"""What the synapses between grids of channels check of their shapes."""

import torch

__all__ = ["output_grid", "pair", "require_grid", "window"]


def pair(value: int | tuple[int, int], *, name: str, least: int) -> tuple[int, int]:
    """Return a size along height and width.

    Args:
        value: One whole number for both, or one for each.
        name: What to call it in a message.
        least: The smallest that is allowed.

    Raises:
        ValueError: It is something else.

    Example:
        >>> pair(3, name="kernel_size", least=1)
        (3, 3)
    """
    sizes = (value, value) if isinstance(value, int) else tuple(value)
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size >= least for size in sizes)
    if len(sizes) != 2 or not whole:
        raise ValueError(f"Expected `{name}` to be a whole number of at least {least}, or two of them, got {value!r}.")
    return sizes


def require_grid(shape: torch.Size, *, name: str) -> None:
    """Raise unless a population has the three axes (channels, height, width).

    Args:
        shape: Its shape.
        name: What to call it in a message.

    Raises:
        ValueError: It has not.

    Example:
        >>> require_grid(torch.Size((28, 28)), name="source_shape")
        Traceback (most recent call last):
        ValueError: Expected `source_shape` to be (channels, height, width), got (28, 28). One channel is (1, 28, 28).
    """
    if len(shape) != 3:
        one = f" One channel is {(1, *shape)}." if len(shape) == 2 else ""
        raise ValueError(f"Expected `{name}` to be (channels, height, width), got {tuple(shape)}.{one}")


def output_grid(
    source: torch.Size,
    target: torch.Size,
    *,
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> None:
    """Raise unless a convolution of the source has the height and width of the target.

    Args:
        source: Shape of the source, (channels, height, width).
        target: Shape of the target.
        kernel_size: Height and width of the kernel.
        stride: Steps of the kernel.
        padding: Rows and columns of zeros around the source.

    Raises:
        ValueError: It has not.

    Example:
        >>> source, target = torch.Size((1, 28, 28)), torch.Size((8, 24, 24))
        >>> output_grid(source, target, kernel_size=(5, 5), stride=(1, 1), padding=(0, 0))
    """
    sizes = zip(source[1:], kernel_size, stride, padding, strict=True)
    found = tuple((size + 2 * pad - kernel) // step + 1 for size, kernel, step, pad in sizes)
    options = f"kernel_size={kernel_size}, stride={stride}, padding={padding}"
    if min(found) < 1:
        raise ValueError(
            f"Expected `kernel_size` within the padded source {tuple(source)}, got {options}: no position is left. "
            "Take a smaller kernel or more padding."
        )
    if found != tuple(target[1:]):
        raise ValueError(
            f"Expected `target_shape` (..., {found[0]}, {found[1]}), which {options} make of {tuple(source)}, "
            f"got {tuple(target)}. Give the target that shape, or change the kernel, stride or padding."
        )


def window(
    source: torch.Size,
    target: torch.Size,
    *,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int],
    padding: int | tuple[int, int],
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return kernel size, stride and padding along height and width, having checked that they fit both shapes.

    Args:
        source: Shape of the source.
        target: Shape of the target.
        kernel_size: Height and width of the kernel, or one number for both.
        stride: Steps of the kernel, likewise.
        padding: Rows and columns of zeros around the source, likewise.

    Raises:
        ValueError: A shape that is no grid of channels, a size that is none, or a convolution of another size.

    Example:
        >>> window(torch.Size((1, 28, 28)), torch.Size((8, 24, 24)), kernel_size=5, stride=1, padding=0)
        ((5, 5), (1, 1), (0, 0))
    """
    require_grid(source, name="source_shape")
    require_grid(target, name="target_shape")
    kernel = pair(kernel_size, name="kernel_size", least=1)
    steps, rim = pair(stride, name="stride", least=1), pair(padding, name="padding", least=0)
    output_grid(source, target, kernel_size=kernel, stride=steps, padding=rim)
    return kernel, steps, rim

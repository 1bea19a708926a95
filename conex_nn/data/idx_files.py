"""Read MNIST and the sets that come in its file format, downloaded if need be."""

from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor


def read_idx_set(
    name: Literal["MNIST", "FashionMNIST"], *, root: str | Path, train: bool
) -> tuple[UInt8[Tensor, " samples 1 height width"], Int64[Tensor, " samples"]]:
    """Read one part of a torchvision set into memory; download it if it is not there.

    Args:
        name: Which set.
        root: Folder with the sets; the files of this one are in ``<root>/<name>/raw``.
        train: Read the training part, else the test part.

    Returns:
        Images as bytes, with one channel [1], and labels [1].

    Raises:
        RuntimeError: If the files are neither there nor to be had.

    Example:
        >>> images, labels = read_idx_set("MNIST", root="data", train=False)  # doctest: +SKIP
        >>> images.shape  # doctest: +SKIP
        torch.Size([10000, 1, 28, 28])
    """
    from torchvision import datasets

    kind = {"MNIST": datasets.MNIST, "FashionMNIST": datasets.FashionMNIST}[name]
    folder = Path(root) / name / "raw"
    try:
        data = kind(root, train=train, download=True)
    except (OSError, RuntimeError) as error:
        files = ", ".join(file for file, _ in kind.resources)
        raise RuntimeError(
            f"Expected the files of {name} in {folder.absolute()}, or a way to download them there, got: "
            f"{str(error).strip()} Tried {' and '.join(kind.mirrors)}. Put {files} into that folder by hand, or pass "
            f"as `root` a folder, writable at first, that has {name}/raw with them."
        ) from error
    return data.data.unsqueeze(1), torch.as_tensor(data.targets)

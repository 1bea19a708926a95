"""Images with where they were looked at."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from typing_extensions import override

from conex_nn.data.seeded import check_global_draws, seeded
from conex_nn.encoders import Looks
from conex_nn.encoders.composition import check_encodes_once


class LocationDataset(Dataset[tuple[Any, ...]]):
    """Look at the images of a data set: ``(image, label)`` becomes ``(image, location, label)``.

    Items go into ``InputLayer(..., location=...)``: ``collate`` makes batches ``({"retina.sensory": images,
    "retina.location": locations}, labels)``, batch first, that a ``SpikingClassifier`` takes. An item of several labels
    keeps them all, so one such data set can look at what another has placed.

    Args:
        data: Items ``(image, *labels)``.
        look: Maps an image to ``(image, location)``: a mask such as ``GridCrop`` or ``Saccades``, which put looks in
            front, or ``PlaceInGrid``. Without a `seed` it is given whole batches, as all of these take them.
        encoder: Maps what is seen to ``(time, *shape)``, such as ``InTurn(Poisson(...))``; None leaves it as it is.
        location_encoder: The same for locations.
        inputs: Addresses that batches go to: of what is seen, and of locations.
        seed: Seed by which each sample is always looked at in the same way [1], whatever the batches and workers; None
            to draw anew each time, from torch's global generator.

    Raises:
        ValueError: If an encoder encodes twice, or, with a `seed`, a transform has a generator of its own; at its use:
            a look that returns something else, samples or locations of unequal shapes.

    Example:
        >>> from conex_nn.data import LabelledImages
        >>> from conex_nn.encoders import GridCrop
        >>> data = LocationDataset(LabelledImages(torch.rand(10, 1, 6, 6), torch.arange(10)), look=GridCrop(2, 3))
        >>> image, location, label = data[3]
        >>> image.shape, location.shape, int(label)  # (looks, ...)
        (torch.Size([6, 1, 3, 2]), torch.Size([6, 2, 3]), 3)
        >>> loader = torch.utils.data.DataLoader(data, batch_size=5, collate_fn=data.collate)
        >>> inputs, labels = next(iter(loader))
        >>> {address: tuple(x.shape) for address, x in inputs.items()}
        {'retina.sensory': (5, 6, 1, 3, 2), 'retina.location': (5, 6, 2, 3)}
    """

    def __init__(
        self,
        data: Dataset[Any],
        look: Callable[[Tensor], tuple[Tensor, Tensor]],
        *,
        encoder: Callable[[Tensor], Tensor] | None = None,
        location_encoder: Callable[[Tensor], Tensor] | None = None,
        inputs: tuple[str, str] = ("retina.sensory", "retina.location"),
        seed: int | None = None,
    ) -> None:
        check_encodes_once(encoder)
        check_encodes_once(location_encoder)
        if seed is not None:
            for name, each in (("look", look), ("encoder", encoder), ("location_encoder", location_encoder)):
                check_global_draws(name, each)
        self.data = data
        self.look = look
        self.encoder = encoder
        self.location_encoder = location_encoder
        self.inputs = inputs
        self.seed = seed

    def __len__(self) -> int:
        return len(self.data)  # pyright: ignore[reportArgumentType]

    @override
    def __getitem__(self, index: int) -> tuple[Any, ...]:
        image, *labels = self.data[index]
        with seeded(None if self.seed is None else self.seed + index):
            seen, location, _ = self._look(image)
        return seen, location, *labels

    def __getitems__(self, indices: Sequence[int]) -> tuple[Any, ...]:
        """Read a batch; ``DataLoader`` calls this.

        Args:
            indices: Which samples [1].

        Returns:
            Images, locations and labels, each with the batch first [1].
        """
        if self.seed is not None:
            return tuple(_stack([self[index] for index in indices]))
        images, *labels = _read(self.data, indices)
        images, locations, in_front = self._look(images)
        batch_first = [x.movedim(1, 0) if moved else x for x, moved in zip((images, locations), in_front, strict=True)]
        return *batch_first, *labels

    def collate(self, batch: Sequence[Any]) -> tuple[dict[str, Tensor], Any]:
        """Make a batch by address of what was read, for ``DataLoader(collate_fn=...)``.

        Args:
            batch: What ``__getitems__`` returned, or a list of items [1].

        Returns:
            Input by address, and labels: a tensor, or a tuple where items have several.
        """
        images, locations, *labels = _stack(batch) if isinstance(batch, list) else batch
        return dict(zip(self.inputs, (images, locations), strict=True)), labels[0] if len(labels) == 1 else (*labels,)

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor, tuple[bool, bool]]:
        """Look and encode; say which results have an axis in front of the batch."""
        looks = self.look(images)
        if not isinstance(looks, tuple) or len(looks) != 2:
            raise ValueError(f"Expected `look` to return (image, location), got {type(looks).__name__}.")
        seen, location = looks
        several = isinstance(looks, Looks)
        seen = seen if self.encoder is None else self.encoder(seen)
        location = location if self.location_encoder is None else self.location_encoder(location)
        return seen, location, (several or self.encoder is not None, several or self.location_encoder is not None)


def _read(data: Any, indices: Sequence[int]) -> Sequence[Any]:
    """Return the columns of a batch."""
    batch = data.__getitems__(indices) if hasattr(data, "__getitems__") else [data[index] for index in indices]
    return _stack(batch) if isinstance(batch, list) else batch


def _stack(items: Sequence[Sequence[Any]]) -> list[Tensor]:
    """Turn items into columns."""
    columns = []
    for column in zip(*items, strict=True):
        tensors = [torch.as_tensor(each) for each in column]
        shapes = list(dict.fromkeys(tuple(each.shape) for each in tensors))
        if len(shapes) > 1:
            raise ValueError(
                f"Expected samples of one shape in a batch, got {' and '.join(map(str, shapes))}. Crop or pad them, or "
                "batch them one by one."
            )
        columns.append(torch.stack(tensors))
    return columns

"""Scenes in which something has to be found and named."""

from collections.abc import Callable, Sequence
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler, SequentialSampler
from typing_extensions import override

from conex_nn.data.labelled_images import to_intensity
from conex_nn.data.location_dataset import LocationDataset
from conex_nn.data.seeded import check_global_draws, mixed_seed, seeded
from conex_nn.encoders import GridCrop, Looks, PlaceInGrid
from conex_nn.encoders.composition import check_encodes_once


class WhatWhere(L.LightningDataModule):
    """Put each image into one cell of a scene, and look at the scene part by part.

    A batch is ``({"retina.sensory": seen, "retina.location": locations}, {"what": classes, "where": cells})``: what is
    seen look after look, ``(batch, time, *shape)`` once it is encoded, and the class of the image and the cell of the
    scene that it is in. Scenes and looks of the validation and test parts depend on `seed` alone; those of the training
    part are drawn anew in each pass, by a seed from torch's global generator: the number of workers changes nothing.

    Args:
        data: Images and their classes, without an encoder: a data module whose data sets give ``(image, label)``, such
            as ``Digits()``. Its ``augment`` is applied to training images.
        rows: Rows of the scene's grid [1].
        columns: Columns of the scene's grid [1].
        hide: A mask of one look, such as ``GridErase(2, 2, looks=1, shuffle=True)``: what of each image is there.
        clutter: What is in other cells; see ``PlaceInGrid``.
        look: Maps scenes to looks and their locations; None to look at each cell once, in random order.
        encoder: Maps intensities ``(looks, batch, *shape)`` to ``(time, batch, *shape)``, such as
            ``InTurn(Poisson(...))``, on the device; None leaves looks to be steps.
        location_encoder: The same for locations, floating 0 and 1.
        inputs: Addresses that batches go to: of what is seen, and of locations.
        batch_size: Scenes per batch [1]; None for that of `data`.
        num_workers: Processes that read batches [1].
        seed: Seed of scenes and looks for validation and test [1].

    Raises:
        ValueError: If a number is out of range, `data` encodes, an encoder encodes twice, or a transform has a
            generator of its own; at its use: encoded inputs of unequal lengths, a mask that is no mask of one look.

    Example:
        >>> from conex_nn.data import Digits
        >>> from conex_nn.encoders import ConstantCurrent, InTurn
        >>> in_turn = InTurn(ConstantCurrent(time=3))
        >>> data = WhatWhere(Digits(), rows=2, columns=2, encoder=in_turn, location_encoder=in_turn)
        >>> data.setup()
        >>> inputs, labels = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
        >>> {address: tuple(x.shape) for address, x in inputs.items()}
        {'retina.sensory': (128, 12, 1, 8, 8), 'retina.location': (128, 12, 2, 2)}
        >>> {name: tuple(each.shape) for name, each in labels.items()}
        {'what': (128,), 'where': (128,)}
    """

    def __init__(
        self,
        data: L.LightningDataModule,
        *,
        rows: int,
        columns: int,
        hide: Callable[[Tensor], Looks] | None = None,
        clutter: Callable[[Tensor], Any] | None = None,
        look: Callable[[Tensor], Looks] | None = None,
        encoder: Callable[[Tensor], Any] | None = None,
        location_encoder: Callable[[Tensor], Any] | None = None,
        inputs: tuple[str, str] = ("retina.sensory", "retina.location"),
        batch_size: int | None = None,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if getattr(data, "encoder", None) is not None:
            raise ValueError("Expected `data` without an encoder, got one. Scenes are made of images: give it here.")
        batch_size = int(getattr(data, "batch_size", 0)) if batch_size is None else batch_size
        if batch_size < 1:
            raise ValueError(f"Expected `batch_size` to be at least 1 [1], got {batch_size}.")
        check_encodes_once(encoder)
        check_encodes_once(location_encoder)
        for name, each in (("hide", hide), ("clutter", clutter), ("look", look)):
            check_global_draws(name, each)
        self.data = data
        self.place = PlaceInGrid(rows, columns, clutter=clutter)
        self.hide = hide
        self.look = GridCrop(rows, columns, shuffle=True) if look is None else look
        self.encoder = encoder
        self.location_encoder = location_encoder
        self.inputs = inputs
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.class_names: Sequence[str] = getattr(data, "class_names", ())
        self.num_classes: int = getattr(data, "num_classes", len(self.class_names))
        self.num_cells = rows * columns

    @override
    def prepare_data(self) -> None:
        self.data.prepare_data()

    @override
    def setup(self, stage: str | None = None) -> None:
        self.data.setup(stage or "fit")

    @override
    def train_dataloader(self) -> DataLoader[Any]:
        images = self.data.train_dataloader().dataset
        scenes = LocationDataset(images, self._augmented_scene)
        return self._loader(_Drawn(LocationDataset(scenes, self.look)), shuffle=True)

    @override
    def val_dataloader(self) -> DataLoader[Any]:
        return self._fixed(self.data.val_dataloader().dataset, part=0)

    @override
    def test_dataloader(self) -> DataLoader[Any]:
        return self._fixed(self.data.test_dataloader().dataset, part=1)

    @override
    def predict_dataloader(self) -> DataLoader[Any]:
        return self.test_dataloader()

    @override
    def on_after_batch_transfer(
        self, batch: Sequence[Tensor], dataloader_idx: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        seen, locations, where, what = batch
        seen, locations = to_intensity(seen), locations.to(torch.get_default_dtype())
        if self.trainer is not None:
            seen, locations = map(self.trainer.precision_plugin.convert_input, (seen, locations))
        encoded = []
        for x, encoder in ((seen, self.encoder), (locations, self.location_encoder)):
            encoded.append(x if encoder is None else encoder(x.movedim(1, 0)).movedim(0, 1))
        if encoded[0].shape[:2] != encoded[1].shape[:2]:
            raise ValueError(
                f"Expected what is seen and its locations to have equally many steps, got {encoded[0].shape[1]} and "
                f"{encoded[1].shape[1]}. Change `encoder` or `location_encoder`."
            )
        return dict(zip(self.inputs, encoded, strict=True)), {"what": what, "where": where.flatten(1).int().argmax(1)}

    def scene(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Hide what is hidden of images, and put them into scenes.

        Args:
            images: ``(*batch, channels, height, width)`` [1].

        Returns:
            Scenes, and where the images are, ``(*batch, rows, columns)``.

        Raises:
            ValueError: A mask of several looks.
        """
        if self.hide is not None:
            left = self.hide(images).images
            if len(left) != 1:
                raise ValueError(f"Expected `hide` to be a mask of one look, `looks=1`, got {len(left)} looks.")
            images = left[0]
        return self.place(images)

    def _augmented_scene(self, images: Tensor) -> tuple[Tensor, Tensor]:
        augment = getattr(self.data, "augment", None)
        return self.scene(images if augment is None else augment(to_intensity(images)))

    def _fixed(self, images: Dataset[Any], *, part: int) -> DataLoader[Any]:
        first = (4 * self.seed + 2 * part) * _APART  # scenes and looks that drew alike would tell of each other
        scenes = LocationDataset(images, self.scene, seed=first)
        return self._loader(LocationDataset(scenes, self.look, seed=first + _APART))

    def _loader(self, data: Dataset[Any], *, shuffle: bool = False) -> DataLoader[Any]:
        sampler: Any = RandomSampler if shuffle else SequentialSampler
        return _Loader(
            data,
            batch_size=self.batch_size,
            sampler=sampler(data),
            generator=torch.Generator().manual_seed(torch.initial_seed()),  # samplers draw from the global one
            num_workers=self.num_workers,
            collate_fn=list,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )


class _Drawn(Dataset[Any]):
    """Looks whose draws follow from the seed of a pass and from which samples are in a batch, whoever reads it."""

    def __init__(self, data: LocationDataset) -> None:
        self.data = data
        self.seed = torch.zeros((), dtype=torch.int64).share_memory_()  # seen by workers that are there already

    def __len__(self) -> int:
        return len(self.data)

    @override
    def __getitem__(self, index: int) -> tuple[Any, ...]:
        with seeded(mixed_seed(int(self.seed), index)):
            return self.data[index]

    def __getitems__(self, indices: Sequence[int]) -> tuple[Any, ...]:
        with seeded(mixed_seed(int(self.seed), *indices)):
            return self.data.__getitems__(indices)


class _Loader(DataLoader[Any]):
    @override
    def __iter__(self) -> Any:
        if isinstance(self.dataset, _Drawn):
            self.dataset.seed.random_()
        return super().__iter__()


_APART = 10**7  # more than there are samples: no two share a seed

"""Images with where they were looked at, and scenes in which something is to be found."""

import re

import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader

from conex_nn.data import Digits, LabelledImages, LocationDataset, TensorDataModule, WhatWhere
from conex_nn.encoders import (
    ConstantCurrent,
    Foveate,
    GridCrop,
    GridErase,
    InTurn,
    Latency,
    PlaceInGrid,
    Poisson,
    RandomFixations,
    Saccades,
    Scramble,
)

IMAGES = torch.rand(12, 1, 4, 6, generator=torch.Generator().manual_seed(1))
DATA = LabelledImages(IMAGES, torch.arange(12) % 3)
IN_TURN = InTurn(ConstantCurrent(2))


class Listed(torch.utils.data.Dataset):
    """The same items without batches, as most data sets are."""

    def __len__(self):
        return len(DATA)

    def __getitem__(self, index):
        return IMAGES[index], int(DATA.labels[index])


def loaded(data, **options):
    return list(DataLoader(data, batch_size=5, collate_fn=data.collate, **options))


def test_an_item_is_image_location_label():
    image, location, label = LocationDataset(DATA, GridCrop(2, 3))[4]
    expected = GridCrop(2, 3)(IMAGES[4])
    assert_close(image, expected.images)
    assert_close(location, expected.locations)
    assert int(label) == 1


@pytest.mark.parametrize("base", [DATA, Listed()], ids=["batches", "items"])
@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("encoders", [{}, {"encoder": InTurn(Latency(2)), "location_encoder": IN_TURN}])
@pytest.mark.parametrize("look", [GridCrop(2, 3), PlaceInGrid(2, 2)], ids=["looks", "scene"])
def test_a_batch_is_its_items(base, seed, encoders, look):
    if encoders and isinstance(look, PlaceInGrid):
        encoders = {
            "encoder": Latency(2),
            "location_encoder": lambda location: location.float().expand(2, *location.shape),
        }
    data = LocationDataset(base, look, seed=seed, **encoders)
    torch.manual_seed(0)
    batches = loaded(data)
    assert [len(labels) for _, labels in batches] == [5, 5, 2]
    inputs, labels = batches[1]
    assert inputs.keys() == {"retina.sensory", "retina.location"}
    assert labels.tolist() == DATA.labels[5:10].tolist()
    if seed is not None or not isinstance(look, PlaceInGrid):  # nothing that is drawn anew
        items = [data[index] for index in range(5, 10)]
        assert_close(inputs["retina.sensory"], torch.stack([item[0] for item in items]))
        assert_close(inputs["retina.location"], torch.stack([item[1] for item in items]))
    else:
        assert inputs["retina.sensory"].shape[:1] + inputs["retina.sensory"].shape[-3:] == (5, 1, 8, 12)
        assert inputs["retina.location"].shape[-2:] == (2, 2)


@pytest.mark.slow
def test_a_seed_looks_alike_in_any_batch_worker_and_epoch():
    look = Saccades(Foveate(2, levels=1), at=RandomFixations(3), rows=2, columns=2)
    data = LocationDataset(DATA, look, encoder=InTurn(Poisson(3)), location_encoder=InTurn(ConstantCurrent(3)), seed=7)
    (whole, _), *_ = DataLoader(data, batch_size=12, collate_fn=data.collate)
    torch.rand(5)
    for workers in (0, 2):
        parts = [inputs for inputs, _ in loaded(data, num_workers=workers)]
        for address, x in whole.items():
            assert_close(torch.cat([part[address] for part in parts]), x, rtol=0, atol=0)
    other = LocationDataset(DATA, look, seed=8)
    assert not torch.equal(other[0][1], other[1][1])  # not all samples alike
    assert not torch.equal(
        torch.stack([other[i][0] for i in range(12)]), torch.stack([data[i][0][::3] for i in range(12)])
    )


def test_without_a_seed_each_look_is_drawn_anew_and_a_seed_leaves_other_draws_alone():
    data = LocationDataset(DATA, GridCrop(2, 3, shuffle=True))
    assert not torch.equal(data[0][1], data[0][1])
    torch.manual_seed(2)
    expected = torch.rand(1)
    torch.manual_seed(2)
    _ = LocationDataset(DATA, GridCrop(2, 3, shuffle=True), seed=1)[0]
    assert torch.equal(torch.rand(1), expected)


def test_one_looks_at_what_another_has_placed():
    scenes = LocationDataset(DATA, PlaceInGrid(2, 2), seed=0)
    data = LocationDataset(scenes, GridCrop(2, 2), inputs=("eye", "eye.location"))
    seen, location, where, what = data[3]
    assert_close(seen[int(where.flatten().int().argmax())], IMAGES[3])
    assert_close(location.flatten(1), torch.eye(4, dtype=torch.bool))
    inputs, (wheres, whats) = loaded(data)[0]
    assert inputs["eye"].shape == (5, 4, 1, 4, 6)
    assert_close(wheres[3], where)
    assert whats[3] == what


def test_unequal_shapes_are_refused():
    class Growing(Listed):
        def __getitem__(self, index):
            return torch.zeros(1, 2 + 2 * (index % 2), 2), 0

    data = LocationDataset(Growing(), GridCrop(1, 1))
    with pytest.raises(ValueError, match=re.escape("samples of one shape in a batch, got (1, 2, 2) and (1, 4, 2).")):
        loaded(data)


def test_what_is_no_look_is_refused():
    with pytest.raises(ValueError, match=r"Expected `look` to return \(image, location\), got Tensor."):
        _ = LocationDataset(DATA, lambda x: x)[0]
    with pytest.raises(ValueError, match="Expected `look` to draw from torch's global generator"):
        LocationDataset(DATA, GridCrop(2, 2, shuffle=True, generator=torch.Generator()), seed=0)


def module(**options):
    digits = TensorDataModule(torch.rand(40, 1, 4, 4), torch.arange(40) % 2, test=10, validation=10, batch_size=4)
    return WhatWhere(digits, rows=2, columns=3, **options)


def batch(data, loader):
    return data.on_after_batch_transfer(next(iter(loader)), 0)


def test_what_and_where_are_told_of_what_is_seen():
    data = module(encoder=IN_TURN, location_encoder=IN_TURN)
    data.setup()
    inputs, labels = batch(data, data.train_dataloader())
    seen, location = inputs["retina.sensory"], inputs["retina.location"]
    assert seen.shape == (4, 12, 1, 4, 4)
    assert location.shape == (4, 12, 2, 3)
    assert labels["what"].shape == labels["where"].shape == (4,)
    assert data.num_cells == 6
    ink = seen.sum((2, 3, 4))  # only the digit's cell has any
    for sample in range(4):
        steps = location[sample].flatten(1).argmax(1)
        assert ((ink[sample] > 0) == (steps == labels["where"][sample])).all()


def test_validation_and_test_are_the_same_each_time_and_training_is_not():
    data = module(clutter=Scramble(2, 2), hide=GridErase(2, 2, looks=1, shuffle=True))
    data.setup()
    for loader in (data.val_dataloader, data.test_dataloader):
        first, again = next(iter(loader())), next(iter(loader()))
        for one, other in zip(first, again, strict=True):
            assert_close(one, other, rtol=0, atol=0)
    assert not torch.equal(next(iter(data.val_dataloader()))[1], next(iter(data.test_dataloader()))[1])
    other = module(seed=1, clutter=Scramble(2, 2))
    other.setup()
    assert not torch.equal(next(iter(other.val_dataloader()))[1], next(iter(data.val_dataloader()))[1])
    images = data.data.train_dataloader().dataset
    torch.manual_seed(0)
    scenes = [data.scene(torch.stack([images[0][0]])) for _ in range(5)]
    assert len({int(location.flatten().int().argmax()) for _, location in scenes}) > 1


@pytest.mark.slow
def test_the_number_of_workers_changes_no_training_scene():
    seen = []
    for workers in (0, 1, 2):
        torch.manual_seed(0)
        data = module(clutter=Scramble(2, 2), hide=GridErase(2, 2, looks=1, shuffle=True), num_workers=workers)
        data.setup()
        train, validation = data.train_dataloader(), data.val_dataloader()
        passes = []
        for _ in range(2):  # the second one by workers that stay
            passes.append([torch.cat(part) for part in zip(*train, strict=True)])
            list(validation)
        seen.append(passes)
    assert_close(seen[1], seen[0], rtol=0, atol=0)
    assert_close(seen[2], seen[0], rtol=0, atol=0)
    assert not torch.equal(seen[0][0][0], seen[0][1][0])


def test_a_part_of_each_image_is_hidden():
    data = module(hide=GridErase(2, 2, looks=1, shuffle=True))
    scene, _ = data.scene(torch.ones(5, 1, 4, 4))
    assert scene.sum((1, 2, 3)).tolist() == [12.0] * 5


def test_the_digit_is_not_told_by_the_order_of_looks():
    data = WhatWhere(Digits(), rows=2, columns=2, batch_size=400)
    data.setup()
    _, locations, where, _ = next(iter(data.test_dataloader()))
    place = where.flatten(1).int().argmax(1)
    turn = locations.flatten(2).int().argmax(2)  # (batch, looks): which cell
    when = (turn == place[:, None]).int().argmax(1).bincount(minlength=4)
    assert when.min() > 0.15 * len(place)  # a quarter each, 359 scenes
    assert when.max() < 0.35 * len(place)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: WhatWhere(Digits(encoder=Poisson(3)), rows=2, columns=2),
            "Expected `data` without an encoder, got one.",
        ),
        (lambda: module(batch_size=0), "Expected `batch_size` to be at least 1 [1], got 0."),
        (lambda: module(encoder=torch.nn.Sequential(InTurn(Poisson(2)), Latency(2))), "to encode once, got Poisson"),
        (
            lambda: LocationDataset(DATA, GridCrop(2, 3), encoder=InTurn(torch.nn.Sequential(Poisson(2), Latency(2)))),
            "to encode once, got Poisson and then Latency",
        ),
        (lambda: module(hide=GridErase(2, 2, generator=torch.Generator())), "Expected `hide` to draw from"),
        (lambda: module(hide=GridErase(2, 2)).scene(torch.zeros(1, 4, 4)), "Expected `hide` to be a mask of one look"),
    ],
)
def test_what_makes_no_scenes_is_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_unequal_lengths_are_refused():
    data = module(encoder=IN_TURN)
    data.setup()
    with pytest.raises(ValueError, match="to have equally many steps, got 12 and 6"):
        batch(data, data.val_dataloader())

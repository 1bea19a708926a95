"""Any data set, encoded as it is read."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader, Subset, TensorDataset
from torchvision import transforms as v1
from torchvision.transforms import v2

from conex_nn.data import Encoded, LabelledImages
from conex_nn.encoders import (
    Burst,
    Cochlea,
    ConstantCurrent,
    Delta,
    Latency,
    Phase,
    Poisson,
    PoissonIntervals,
    PopulationCode,
    RankOrder,
)

IMAGES = TensorDataset(torch.rand(20, 3, 4, generator=torch.Generator().manual_seed(0)), torch.arange(20))
ENCODERS = {
    "poisson": lambda g: Poisson(10, max_rate=300.0, generator=g),
    "counts": lambda g: Poisson(10, max_rate=3000.0, counts=True, generator=g, dtype=torch.uint8),
    "intervals": lambda g: PoissonIntervals(10, max_rate=300.0, generator=g),
    "cochlea": lambda g: Cochlea(2, sample_rate=1000, window=500.0, generator=g, f_min=0.0, max_rate=1000.0),
    "chain": lambda g: torch.nn.Sequential(PopulationCode(4), Poisson(5, max_rate=300.0, generator=g)),
    "latency": lambda g: Latency(10),
    "rank_order": lambda g: RankOrder(10, feature_ndim=2),
    "phase": lambda g: Phase(10),
    "burst": lambda g: Burst(10),
    "constant_current": lambda g: ConstantCurrent(3),
    "delta": lambda g: Delta(0.1),
    "function": lambda g: lambda x: x + torch.randn(5, 1, 1),
}


def read(data, num_workers, **options):
    loader = DataLoader(data, batch_size=3, num_workers=num_workers, persistent_workers=num_workers > 0, **options)
    epochs = []
    for epoch in range(2):
        data.seed = epoch
        epochs.append([torch.cat(parts) for parts in zip(*loader, strict=True)])
    return epochs


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("own", [False, True])
def test_the_same_seed_gives_the_same_spikes_whoever_reads(name, own):
    def read_by(num_workers):
        generator = torch.Generator().manual_seed(4) if own else None
        return read(Encoded(IMAGES, ENCODERS[name](generator), seed=0), num_workers)

    first = read_by(0)
    torch.manual_seed(1)  # which is of no matter
    for a, b in zip(read_by(2), first, strict=True):
        assert_close(a, b, rtol=0, atol=0)
    random = name in ("poisson", "counts", "intervals", "cochlea", "chain", "function")
    assert torch.equal(first[0][0], first[1][0]) != random  # each epoch draws anew


def test_the_order_of_reading_is_of_no_matter():
    data = Encoded(IMAGES, Poisson(10, max_rate=300.0), seed=1)
    there = [data[i][0] for i in range(20)]
    back = [data[i][0] for i in reversed(range(20))]
    assert_close(there, back[::-1], rtol=0, atol=0)


def test_samples_and_seeds_draw_apart():
    same = TensorDataset(torch.full((200, 50), 0.5), torch.arange(200))
    data = Encoded(same, Poisson(20, max_rate=1000.0), seed=1)
    spikes = torch.stack([x for x, _ in data]).flatten(1) - 0.5
    overlap = (spikes @ spikes.T * 4 / spikes.shape[1]).fill_diagonal_(0)
    assert overlap.abs().max() < 6 / spikes.shape[1] ** 0.5
    assert abs(overlap.mean()) < 1e-3
    other = Encoded(same, Poisson(20, max_rate=1000.0), seed=2)
    assert not torch.equal(other[0][0], data[0][0])
    assert not torch.equal(other[0][0], data[1][0])  # (seed, index) and (seed + 1, index - 1) are not the same


def test_an_index_from_the_back_is_the_same_sample():
    data = Encoded(IMAGES, Poisson(10, max_rate=300.0), seed=1)
    assert_close(data[-1][0], data[19][0], rtol=0, atol=0)
    with pytest.raises(IndexError, match="Expected an index below 20, the number of samples, got 20"):
        data[20]


@pytest.mark.parametrize("compose", [v1.Compose, v2.Compose])
def test_a_generator_within_a_composition_is_found(compose):
    def chain():
        own = Poisson(10, max_rate=300.0, generator=torch.Generator().manual_seed(4))
        return compose([torch.nn.Identity(), compose([own])])

    data = Encoded(IMAGES, chain(), seed=1)
    assert_close(data[3][0], data[3][0], rtol=0, atol=0)
    assert_close(data[3][0], Encoded(IMAGES, chain(), seed=1)[3][0], rtol=0, atol=0)


def test_what_others_draw_is_left_alone():
    generator = torch.Generator().manual_seed(3)
    data = Encoded(IMAGES, torch.nn.Sequential(Poisson(10, generator=generator)), seed=1)
    torch.manual_seed(8)
    before = torch.get_rng_state(), generator.get_state()
    data[4]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(generator.get_state(), before[1])


def test_what_others_draw_is_left_alone_after_an_error():
    data = Encoded(IMAGES, Poisson(10, generator=None), seed=1)
    data.encoder = lambda x: torch.rand(3) + x.nothing
    before = torch.get_rng_state()
    with pytest.raises(AttributeError, match="nothing"):
        data[0]
    assert torch.equal(torch.get_rng_state(), before)


def test_the_seed_of_a_generator_counts():
    def first(seed):
        return Encoded(IMAGES, Poisson(10, generator=torch.Generator().manual_seed(seed)), seed=1)[0][0]

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_without_a_seed_it_draws_on():
    data = Encoded(IMAGES, Poisson(10, max_rate=300.0), seed=None)
    assert data.seed is None
    assert not torch.equal(data[0][0], data[0][0])


def test_bytes_are_encoded_as_intensities_and_labels_stay():
    seen = []
    data = Encoded(LabelledImages(torch.tensor([[0, 255], [51, 102]], dtype=torch.uint8), torch.tensor([3, 1])),
                   lambda x: seen.append(x) or x + 1)  # fmt: skip
    x, label = data[1]
    assert_close(seen[0], torch.tensor([0.2, 0.4]))
    assert_close(x, torch.tensor([1.2, 1.4]))
    assert int(label) == 1
    assert len(data) == 2


def test_what_has_three_parts_keeps_them():
    data = Encoded(TensorDataset(torch.rand(4, 2), torch.arange(4), torch.arange(4) + 10), Latency(3))
    assert [int(part) for part in data[2][1:]] == [2, 12]


def test_encoding_twice_is_refused():
    data = Encoded(IMAGES, Latency(5))
    with pytest.raises(ValueError, match="Expected `dataset` to hold intensities, got one that is encoded already"):
        Encoded(Subset(Subset(data, [1, 2]), [0]), Latency(5))
    with pytest.raises(ValueError, match="Expected `encoder` to encode once, got Latency and then Poisson"):
        Encoded(IMAGES, torch.nn.Sequential(Latency(5), Poisson(5)))


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="Expected `seed` to be 0 or more, got -1"):
        Encoded(IMAGES, Latency(5), seed=-1)

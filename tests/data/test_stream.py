"""Streams: what is presented when, in whatever chunks, lanes, workers and processes."""

import itertools
import re

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader

import conex_nn as cx
from conex_nn.data import SILENT, LabelledImages, LocationDataset, Stimuli, Stream
from conex_nn.encoders import GridCrop, InTurn, Latency, Poisson

IMAGES = torch.rand(7, 2, 3, generator=torch.Generator().manual_seed(3))
DATA = LabelledImages(IMAGES, torch.tensor([3, 1, 4, 1, 5, 9, 2]))


def read(stream, **options):
    chunks = list(DataLoader(stream, batch_size=None, **options))
    return torch.cat([x for x, _ in chunks]), torch.cat([labels for _, labels in chunks])


def test_samples_are_held_one_after_another_with_silence_in_between():
    x, labels = read(Stream(DATA, instance_duration=3, silent_interval=2))
    assert x.shape == (35, 2, 3)
    for sample, (steps, named) in enumerate(zip(x.split(5), labels.split(5), strict=True)):
        assert_close(steps[:3], IMAGES[sample].expand(3, 2, 3))
        assert not steps[3:].any()
        assert named.tolist() == [int(DATA.labels[sample])] * 3 + [SILENT] * 2


def test_an_encoder_says_what_is_presented():
    x, _ = read(Stream(DATA, instance_duration=4, silent_interval=1, encoder=Latency(4)))
    assert_close(x.view(7, 5, 2, 3)[:, :4], Latency(4)(IMAGES).transpose(0, 1))


def test_sequences_are_presented_as_they_are():
    series = torch.rand(4, 6, 2)
    x, _ = read(Stream(LabelledImages(series, torch.arange(4)), instance_duration=6, encoder=nn.Identity()))
    assert_close(x, series.flatten(0, 1))


@pytest.mark.parametrize("chunk", [1, 4, 5, 9, 100])
@pytest.mark.parametrize("lanes", [None, 1, 3])
def test_chunks_are_the_whole(chunk, lanes):
    options = {"instance_duration": 4, "silent_interval": 1, "encoder": Poisson(4), "lanes": lanes, "shuffle": True}
    stream = Stream(DATA, chunk=chunk, **options)
    x, labels = read(stream)
    whole, all_labels = read(Stream(DATA, **options))
    assert_close(x, whole, rtol=0, atol=0)
    assert_close(labels, all_labels)
    sizes = [len(x) for x, _ in stream]
    assert set(sizes[:-1]) <= {chunk}
    assert len(sizes) == len(stream) == len(DataLoader(stream, batch_size=None))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_reads_the_same_stream(workers):
    stream = Stream(DATA, instance_duration=4, silent_interval=1, encoder=Poisson(4), chunk=3, shuffle=True, seed=5)
    x, labels = read(stream)
    other, other_labels = read(stream, num_workers=workers)
    assert_close(other, x, rtol=0, atol=0)  # each chunk once, in order, the same draws
    assert_close(other_labels, labels)


def test_what_is_drawn_leaves_other_draws_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    stream = Stream(DATA, instance_duration=4, encoder=Poisson(4), shuffle=True)
    first = next(iter(stream))[0]
    assert torch.equal(torch.rand(1), expected)
    assert_close(next(iter(stream))[0], first, rtol=0, atol=0)
    assert not torch.equal(read(stream)[0], read(Stream(DATA, instance_duration=4, encoder=Poisson(4), seed=1))[0])


def test_a_finite_stream_ends_and_an_endless_one_does_not():
    finite = Stream(DATA, instance_duration=2)
    assert len(list(finite)) == len(list(finite)) == 7  # and can be read again
    endless = Stream(DATA, instance_duration=2, loop=True)
    labels = torch.cat([labels for _, labels in itertools.islice(endless, 20)])
    assert labels[::2].tolist() == [*DATA.labels, *DATA.labels, *DATA.labels[:6]]
    with pytest.raises(TypeError, match="Expected a stream that ends, to tell its length"):
        len(endless)


def test_each_pass_has_an_order_of_its_own():
    endless = Stream(LabelledImages(torch.rand(20, 1), torch.arange(20)), instance_duration=1, loop=True, shuffle=True)
    labels = torch.cat([labels for _, labels in itertools.islice(endless, 40)]).view(2, 20)
    assert labels.sort(1).values.tolist() == [list(range(20))] * 2
    assert labels[0].tolist() != labels[1].tolist()


def test_another_epoch_has_another_order_and_other_draws():
    stream = Stream(DATA, instance_duration=4, encoder=Poisson(4), shuffle=True)
    first, labels = read(stream)
    stream.set_epoch(1)
    second, other_labels = read(stream)
    assert sorted(labels.tolist()) == sorted(other_labels.tolist())
    assert not torch.equal(first, second)
    stream.set_epoch(0)
    assert_close(read(stream)[0], first, rtol=0, atol=0)


def test_lanes_present_samples_beside_each_other():
    x, labels = read(Stream(DATA, instance_duration=2, silent_interval=1, lanes=3))
    assert x.shape == (9, 3, 2, 3)
    assert labels[::3].tolist() == [[3, 1, 4], [1, 5, 9], [2, SILENT, SILENT]]
    assert_close(x[3, 2], IMAGES[5])
    assert not x[6:, 1:].any()  # no sample is left


def test_several_inputs_go_by_address():
    data = LocationDataset(LabelledImages(torch.rand(4, 1, 4, 4), torch.arange(4)), GridCrop(2, 2), seed=0)
    held = nn.Identity()
    stream = Stream(data, instance_duration=4, encoder={"retina.sensory": held, "retina.location": held}, chunk=6)
    x, labels = next(iter(stream))
    assert {address: tuple(each.shape) for address, each in x.items()} == {
        "retina.sensory": (6, 1, 2, 2),
        "retina.location": (6, 2, 2),
    }
    assert_close(x["retina.sensory"][:4], data[0][0])
    assert labels.tolist() == [0, 0, 0, 0, 1, 1]
    with pytest.raises(ValueError, match=r"Expected `encoder` by address where there are several inputs"):
        next(iter(Stream(data, instance_duration=4, encoder=held)))


def network():
    """A layer with a loop and delays, and slow traces that outlast chunks."""
    torch.manual_seed(0)
    layer = cx.CorticalLayer(
        exc=cx.Population(6, cx.LIF(tau_mem=20.0)), inh=cx.Population(3, cx.LIF(tau_mem=10.0), inhibitory=True)
    )
    layer.connect("exc", "inh", cx.Dense, gain=20.0, latency=3, init=nn.init.uniform_)
    layer.connect("inh", "exc", cx.Dense)
    net = cx.Neocortex(retina=cx.InputLayer(2, 3), v1=layer)
    net.connect("retina", "v1.exc", cx.Dense, gain=20.0, latency=2, init=nn.init.uniform_)
    return net


@pytest.mark.parametrize("lanes", [None, 2])
@pytest.mark.parametrize("chunk", [1, 7])
def test_a_network_whose_state_is_carried_sees_the_whole_stream(chunk, lanes):
    net = network()
    options = {"instance_duration": 10, "silent_interval": 3, "encoder": Poisson(10), "lanes": lanes}
    whole, _ = net(read(Stream(DATA, **options))[0])
    state, spikes = None, []
    for x, _ in DataLoader(Stream(DATA, chunk=chunk, **options), batch_size=None):
        out, state = net(x, state)
        spikes.append(out["v1.exc"])
    assert whole["v1.exc"].sum() > 0
    assert whole["v1.inh"].sum() > 0
    assert_close(torch.cat(spikes), whole["v1.exc"], rtol=0, atol=0)


def test_input_layers_are_switched_by_tag():
    net = cx.Neocortex(
        images=cx.InputLayer(2, 3, tags=["train"]), probe=cx.InputLayer(2, 3), v1=cx.Population(4, cx.LIF())
    )
    net["probe.sensory"].tags = ("test",)
    net["images.sensory"].tags = ("train",)
    for source in ("images", "probe"):
        net.connect(source, "v1", cx.Dense, gain=30.0)
    x, _ = read(Stream(DATA, instance_duration=5))
    net.switch("test", on=False)
    trained, _ = net({"images": x, "probe": torch.ones_like(x)})
    alone, _ = net({"images": x, "probe": torch.zeros_like(x)})
    assert_close(trained["v1"], alone["v1"])
    net.switch("test", on=True)
    net.switch("train", on=False)
    tested, _ = net({"images": x, "probe": torch.ones_like(x)})
    assert not torch.equal(tested["v1"], trained["v1"])


@pytest.mark.slow
def test_stimuli_are_switched_by_tag_also_in_workers_that_stay():
    streams = {
        tag: Stream(LabelledImages(torch.rand(4, 1), torch.full((4,), label)), instance_duration=3)
        for label, tag in enumerate(["train", "test"])
    }
    stimuli = Stimuli(streams, on="train")
    loader = DataLoader(stimuli, batch_size=None, num_workers=2, persistent_workers=True)
    for tag, label in (("train", 0), ("test", 1), ("train", 0)):
        stimuli.switch(tag)
        assert stimuli.on == tag
        assert torch.cat([labels for _, labels in loader]).tolist() == [label] * 12
    assert len(stimuli) == 4


def test_each_process_of_a_group_presents_its_own_samples(monkeypatch):
    seen = []
    for rank in range(2):
        monkeypatch.setattr(dist, "is_initialized", lambda: True)
        monkeypatch.setattr(dist, "get_world_size", lambda: 2)
        monkeypatch.setattr(dist, "get_rank", lambda rank=rank: rank)
        seen.append(read(Stream(LabelledImages(torch.rand(7, 1), torch.arange(7)), instance_duration=1))[1].tolist())
    assert seen == [[0, 2, 4], [1, 3, 5]]  # as many in each


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"instance_duration": 0}, "Expected `instance_duration` to be at least 1 [1], got 0."),
        ({"silent_interval": -1}, "Expected `silent_interval` to be 0 or more [steps], got -1."),
        ({"chunk": 0}, "Expected `chunk` to be at least 1 [1], got 0."),
        ({"lanes": 0}, "Expected `lanes` to be at least 1 [1], got 0."),
        ({"data": LabelledImages(torch.zeros(0, 1), torch.zeros(0).long())}, "Expected `data` to have a sample"),
        (
            {"encoder": Poisson(2, generator=torch.Generator())},
            "Expected `encoder` to draw from torch's global generator",
        ),
        ({"encoder": InTurn(Poisson(2, generator=torch.Generator()))}, "Leave its `generator` out."),
    ],
)
def test_what_makes_no_stream_is_refused(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Stream(**{"data": DATA, "instance_duration": 2, **options})


@pytest.mark.parametrize(
    ("data", "encoder", "message"),
    [
        (DATA, Latency(3), "Expected `encoder` to make sequences of `instance_duration` = 2 [steps], got 3."),
        (
            [(torch.zeros(2), 0), (torch.zeros(3), 1)],
            None,
            "Expected samples of one shape in a stream, got (3,) after (2,).",
        ),
        (
            [(torch.zeros(2), torch.zeros(2))],
            None,
            "Expected a label of a sample to be a number, got a tensor of shape (2,).",
        ),
        (
            [(torch.zeros(2), torch.zeros(2), 1)],
            None,
            "with x by address where there are several inputs, got a tuple of 3.",
        ),
    ],
)
def test_what_cannot_be_presented_is_refused(data, encoder, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        list(Stream(data, instance_duration=2, encoder=encoder))


def test_labels_without_samples_are_refused():
    with pytest.raises(ValueError, match="Expected `labels` to have one label for each of 7 samples"):
        LabelledImages(IMAGES, torch.arange(8))


def test_samples_without_labels_are_presented():
    x, labels = read(Stream([torch.ones(2), torch.zeros(2)], instance_duration=2))
    assert x.shape == (4, 2)
    assert labels.tolist() == [SILENT] * 4


def test_what_is_not_among_stimuli_is_refused():
    with pytest.raises(ValueError, match=r"Expected one of the tags 'train', got 'test'."):
        Stimuli({"train": Stream(DATA, instance_duration=1)}, on="test")
    with pytest.raises(ValueError, match=r"Expected `streams` to be at least one, by tag, got none."):
        Stimuli({}, on="test")

"""What was recorded, as events, arrays and tables."""

import sys

import pytest
import torch

from .small_cortex import UP, XS, cortex


def triplets(events):
    return set(zip(events.time.tolist(), events.sample.tolist(), events.neuron.tolist(), strict=True))


@torch.no_grad()
def test_events_are_triplets():
    net = cortex()
    with net.record("v1", "spikes") as rec, net.record("v1.exc", "spikes", every=3, last=4, where=[6, 1]) as some:
        out, _ = net(XS)
    events = rec.events("v1.exc")
    again = torch.zeros(23, 3, 8)
    again[events.time, events.sample, events.neuron] = 1
    torch.testing.assert_close(again, out["v1.exc"].flatten(2))
    assert len(events.time) == int(out["v1.exc"].sum())
    assert (events.time.diff() >= 0).all()
    few = some.events("v1.exc")
    assert triplets(some.events()) == triplets(few)
    assert triplets(few) == {e for e in triplets(events) if e[0] in (12, 15, 18, 21) and e[2] in (1, 6)}
    assert (few.begin, few.steps, few.train_shape) == (12, 12, (3, 2))
    with pytest.raises(KeyError, match=r"'v1.exc.spikes', 'v1.inh.spikes'"):
        rec.events()


@torch.no_grad()
def test_arrays():
    net = cortex()
    with net.record("v1.exc", "spikes", "v") as rec:
        net.to(torch.bfloat16)(XS.to(torch.bfloat16))
    arrays = rec.to_numpy()
    assert arrays.keys() == {"v1.exc.spikes", "v1.exc.v"}
    assert arrays["v1.exc.v"].shape == (23, 3, 2, 2, 2)


def watched():
    net = cortex()
    with (
        torch.no_grad(),
        net.record("v1.exc", "spikes", "v", every=2, where=[5, 2]) as rec,
        net.record(UP, "weight", every=10) as weight,
    ):
        net(XS)
    return rec, weight


def test_tables_of_pandas():
    rec, weight = watched()
    table = rec.to_pandas()
    assert list(table.columns) == ["name", "time", "sample", "neuron", "value"]
    assert len(table) == 2 * 12 * 3 * 2
    row = table[(table.name == "v1.exc.v") & (table.time == 4) & (table["sample"] == 1) & (table.neuron == 2)]
    assert row.value.item() == pytest.approx(float(rec["v"][2, 1, 1]))
    events = rec.to_pandas(events=True)
    spikes = events[events.name == "v1.exc.spikes"]
    assert spikes.time.tolist() == rec.events("v1.exc").time.tolist()
    assert weight.to_pandas().groupby("time").neuron.max().to_dict() == {0: 23, 10: 23, 20: 23}


def test_data_sets_of_xarray():
    rec, weight = watched()
    found = rec.to_xarray()
    v = found["v1.exc.v"]
    assert v.dims == ("time", "sample", "v1.exc.neuron")
    value = v.sel({"time": 4, "sample": 1, "v1.exc.neuron": 2}).item()
    assert value == pytest.approx(float(rec["v"][2, 1, 1]))
    assert weight.to_xarray()[f"{UP}.weight"].dims == ("time", f"{UP}.weight.index")


@pytest.mark.parametrize("library", ["pandas", "xarray"])
def test_libraries_that_are_not_there(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    rec, _ = watched()
    with pytest.raises(ImportError, match=f"Expected {library} to be installed"):
        getattr(rec, f"to_{library}")()

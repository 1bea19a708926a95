"""A simulation is the same run as a call, stretch by stretch, and keeps events and samples only."""

import signal
import threading

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn.recording import Events
from conex_nn.structure import progress

from .live_bytes import LiveBytes
from .small_cortex import UP, XS, cortex, hooks

LONG = XS.double().repeat(3, 1, 1)


def made(**options):
    return cortex(**options).double()


def same(found, expected):
    for one, other in zip(tree_leaves(found), tree_leaves(expected), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("loops", [False, True])
@pytest.mark.parametrize("chunk", [None, 1, 7, "20 ms", 1000])
def test_stretches_of_any_length_make_the_run_of_a_call(chunk, loops):
    net, twin = made(loops=loops), made(loops=loops)
    with torch.no_grad():
        out, state = twin(LONG)
    found = net.simulate(69, LONG, chunk=chunk)
    assert set(found.events) == {"v1.exc", "v1.inh"}
    assert out["v1.exc"].sum() > 50
    for path, spikes in out.items():
        torch.testing.assert_close(found.events[path].dense(torch.float64), spikes.flatten(2).reshape(spikes.shape))
    same(found.state, state)
    rates = {path: 1000 * float(spikes.mean()) for path, spikes in out.items()}
    assert found.rates() == pytest.approx(rates)
    assert hooks(net) == 0


def test_variables_are_sampled():
    net, twin = made(), made()
    record = {"v1": ["spikes", "v"], UP: "weight", "eye": ["spikes"]}
    with torch.no_grad(), twin.record("v1.exc", "v") as rec, twin.record("v1.inh", "v") as inh:
        twin(LONG)
    found = net.simulate("69 ms", LONG, record=record, every="10 ms", where=2, chunk=9)
    torch.testing.assert_close(found["v1.exc.v"], rec["v"].flatten(2)[::10, :, [0, 4]])
    torch.testing.assert_close(found["v1.inh.v"], inh["v"][::10, :, [0, 1]])
    assert found[f"{UP}.weight"].shape == (7, 3, 8)
    assert set(found.events) == {"v1.exc", "v1.inh", "eye.sensory"}
    torch.testing.assert_close(found.spikes("eye.sensory", dtype=torch.float64), (LONG != 0).double())
    assert len(found) == 3
    assert found.recording.steps("v1.exc.v").tolist() == list(range(0, 69, 10))


def test_it_goes_on_where_it_stopped():
    whole = made().simulate(69, LONG)
    net = made()
    first = net.simulate(30, LONG[:30])
    second = net.simulate(39, LONG[30:], first.state)
    same(second.state, whole.state)
    for path, events in whole.events.items():
        assert torch.equal(events.between(30).time - 30, second.events[path].time)
        assert len(first.events[path]) == len(events.between(end=30))


def test_what_is_asked_of_the_result():
    net = made()
    net.dt = 0.5
    found = net.simulate(69, LONG, record=["v1.exc"])
    events = found.events["v1.exc"]
    assert (found.duration, found.steps, events.dt) == (34.5, 69, 0.5)
    assert found.real_time_factor == pytest.approx(found.seconds / 34.5e-3)
    late = found.rates("10 ms")
    assert late == {"v1.exc": pytest.approx(1e3 * len(events.between(20)) / (49 * 0.5 * 3 * 8))}
    binned = found.population_rate("v1.exc", "2 ms")
    assert binned.shape == (17, 3)
    spikes = found.spikes("v1.exc", 4, 8)
    torch.testing.assert_close(binned[1], spikes.sum((0, 2, 3, 4)) * 1000 / (8 * 2.0))
    assert repr(found).startswith("Simulation(34.5 ms in ")
    assert set(found.rates()) == {"v1.exc", "v1.inh"}
    with pytest.raises(KeyError, match=r"got 'v1.inh'. Ask for it: `net.simulate\(..., record=\['v1.inh'\]\)`"):
        found.events["v1.inh"]
    with pytest.raises(KeyError, match=r"got 'v1.exk'. Did you mean 'v1.exc'"):
        found.spikes("v1.exk")
    with pytest.raises(ValueError, match=r"`width` from 1 to 69 steps \[1\], got 0"):
        found.population_rate("v1.exc", 0)
    assert not net.simulate(5, LONG[:5], record=[]).events


def test_networks_without_input():
    net = cx.Neocortex(a=cx.Population(3, cx.LIF()), b=cx.Population((2, 2), cx.LIF()))
    net.connect("a", "b", cx.Dense)
    net["a"].noise = None
    found = net.simulate("10 ms", batch=4)
    assert found.events["b"].batch == (4,)
    more = net.simulate("10 ms", state=found.state)
    assert more.events["b"].batch == (4,)
    assert net.simulate(5).events["b"].train_shape == (2, 2)
    out, state = net(steps=7, batch=(2, 3))
    assert out["b"].shape == (7, 2, 3, 2, 2)
    assert net(steps="3 ms", state=state)[0]["a"].shape == (3, 2, 3, 3)
    assert net.double()(steps=2)[0]["a"].dtype == torch.float64
    with pytest.raises(ValueError, match="Expected `steps`, of which there is at least one, since no input says"):
        net()
    with pytest.raises(ValueError, match="Expected an InputLayer in the network"):
        net(torch.ones(3, 2))


def test_one_seed_makes_one_run():
    net = cx.Neocortex(a=cx.Population(30, cx.LIF(), noise=cx.Noise(0.5)))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = (net.simulate(50, seed=seed).events["a"] for seed in (3, 3, 4))
    assert len(first) > 10
    assert torch.equal(first.dense(), again.dense())
    assert not torch.equal(first.dense(), other.dense())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(3)
    assert torch.equal(net.simulate(50).events["a"].dense(), first.dense())


@pytest.mark.parametrize("when", ["sequence", "step"])
@pytest.mark.parametrize("train", [True, False])
def test_rules_learn_as_in_a_call(when, train):
    nets = []
    for _ in range(2):
        torch.manual_seed(0)
        net = cx.Neocortex(eye=cx.InputLayer(6), a=cx.Population(5, cx.LIF())).double()
        rule = cx.STDP(a_plus=0.05, a_minus=0.01)
        net.connect("eye", "a", cx.Dense, rule=rule, when=when, init=nn.init.uniform_, gain=3.0).double()
        nets.append(net.train(train))
    call, run = nets
    before = call["connections.eye_to_a"].only.weight.clone()
    with torch.no_grad():
        call(LONG)
    run.simulate(69, LONG, chunk=10)
    weights = [net["connections.eye_to_a"].only.weight for net in nets]
    assert torch.equal(weights[0], before) is not train
    torch.testing.assert_close(*weights)


def test_rules_that_wait_for_what_comes_later():
    net = cx.Neocortex(eye=cx.InputLayer(6), a=cx.Population(5, cx.LIF()))
    net.connect("eye", "a", cx.Dense, rule=cx.RSTDP())
    with pytest.raises(
        ValueError, match=r"`modulators` for the rules that learn in train\(\), got none called 'dopamine'"
    ):
        net.simulate(23, XS)
    net.simulate(23, XS, modulators={"dopamine": torch.rand(23)}, chunk=5)
    assert net.waits_for() == []
    net.eval().simulate(23, XS)


def test_memory_does_not_grow_with_time():
    net = made(plain=True)
    inputs = torch.zeros(1, 64, 6, dtype=torch.float64).expand(10_000, 64, 6)
    net.simulate(100, inputs[:100], chunk=20)
    peaks = []
    for steps in (100, 4000):
        with LiveBytes() as live:
            net.simulate(steps, inputs[:steps], chunk=20)
        peaks.append(live.peak)
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 4000 * 64 * 8 * 8 / 10  # of what one population's spikes would take


@pytest.mark.parametrize("path", ["v1.exc", "v1"])
def test_events_of_a_recording(path):
    net, twin = made(), made()
    with torch.no_grad(), net.record(path, "spikes", "v", events=True, every=4, where=[2, 1]) as rec:
        net(LONG[:40])
        net(LONG[40:])
    with torch.no_grad(), twin.record(path, "spikes", "v", where=[2, 1]) as dense:
        twin(LONG[:40])
        twin(LONG[40:])
    torch.testing.assert_close(rec["v1.exc.spikes"].double(), dense["v1.exc.spikes"])
    torch.testing.assert_close(rec["v1.exc.v"], dense["v1.exc.v"][::4])
    events = rec.events("v1.exc")
    assert events.dt == 1.0
    assert len(events.neurons) == 2
    assert set(events.neuron.tolist()) <= {2, 1}
    torch.testing.assert_close(rec.steps("v1.exc.spikes"), torch.arange(69))
    table = rec.to_pandas(events=True)
    assert (table.name == "v1.exc.spikes").sum() == len(events)
    assert hooks(net) == 0


def test_events_of_what_does_not_spike():
    net = cx.Neocortex(eye=cx.InputLayer(6), out=cx.Population(2, cx.LI()))
    net.connect("eye", "out", cx.Dense)
    with pytest.raises(ValueError, match=r"a population that spikes, to keep its spikes as events, got 'out' of LI"):
        net.simulate(23, XS, record=["out"])
    found = net.simulate(23, XS, record={"out": "output"}, every=2)
    assert found["out.output"].shape == (12, 3, 2)
    assert not found.rates()
    assert not net.simulate(23, XS).events
    with (
        pytest.raises(ValueError, match="Expected no `last` where spikes are kept as `events`"),
        net.record("eye", "spikes", events=True, last=3),
    ):
        pass
    with pytest.raises(ValueError, match=r"`where` to be a number of neurons of at least 1 \[1\], got 0"):
        net.simulate(23, XS, record={"out": "output"}, where=0)


@pytest.mark.parametrize(
    ("duration", "inputs", "options", "error", "message"),
    [
        ("22.5 ms", XS, {}, ValueError, r"`duration` to be a whole number of steps of 1 ms .*, got 22.5. The nearest"),
        (0, XS, {}, ValueError, "`duration` to be one step of 1 ms at least, got 0"),
        (23.0, XS, {}, TypeError, "`duration` to be a whole number of steps"),
        (22, XS, {}, ValueError, r"`inputs` of 22 steps, as many as are run \[1\], got 23"),
        (23, None, {}, ValueError, "Expected `inputs` for eye.sensory, got none"),
        (23, {"ear": XS}, {}, ValueError, "got one for 'ear'"),
        (23, 5, {}, TypeError, "`inputs` to be a tensor, a function of the first step and the one after the last, or"),
        (23, "eye", {}, TypeError, "`inputs` to be a tensor, a function"),
        (23, torch.tensor(1.0), {}, ValueError, "`inputs` of 23 steps, as many as are run"),
        (23, lambda begin, end: XS[:2], {}, ValueError, r"with 1 steps for 0 to 1 \[1\], got \(2, 3, 6\)"),
        (23, lambda begin, end: None, {}, ValueError, "to return .* got NoneType"),
        (23, [XS[:20]], {}, ValueError, r"blocks of `inputs` for all steps, got none after 20 steps \[1\]"),
        (23, [3], {}, TypeError, r"Expected blocks of `inputs` as tensors \(time, \*batch, \*shape\), got \['int'\]"),
        (23, {"eye": [XS[:20]]}, {}, ValueError, "blocks of input of 'eye' for all steps"),
        (23, [{"a": XS, "b": XS[:2]}], {}, ValueError, "of one length for all addresses"),
        (23, XS, {"batch": 4}, ValueError, r"`batch` to be that of the inputs, \(3,\), got \(4,\)"),
        (23, XS, {"record": ["v1.exk"]}, ValueError, "Expected the address of a population"),
        (23, XS, {"record": {"v1": ["w_"]}}, ValueError, "Expected a variable of"),
        (23, XS, {"every": 0}, ValueError, "`every` to be one step of 1 ms at least"),
        (23, XS, {"chunk": 0}, ValueError, "`chunk` to be one step of 1 ms at least"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated(duration, inputs, options, error, message):
    net = cortex()
    with pytest.raises(error, match=message):
        net.simulate(duration, inputs, **options)
    assert hooks(net) == 0


@pytest.fixture
def interruptible():
    """Python's own handler of interrupts, which a process in the background may lack."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_it_after_the_stretch_under_way():
    net, whole = made(), made().simulate(69, LONG, chunk=10)

    def drive(begin, end):
        if begin == 20:
            signal.raise_signal(signal.SIGINT)
        return LONG[begin:end]

    with pytest.warns(UserWarning, match="interrupted after 30 of 69 ms; what was simulated until then is returned"):
        found = net.simulate(69, drive, chunk=10)
    assert (found.steps, found.interrupted) == (30, True)
    assert "interrupted" in repr(found)
    assert len(found.events["v1.exc"]) == len(whole.events["v1.exc"].between(0, 30))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    rest = net.simulate(39, LONG[30:], found.state)
    same(rest.state, whole.state)
    assert not rest.interrupted

    def impatient(begin, end):
        for _ in range(2 * (begin == 20)):
            signal.raise_signal(signal.SIGINT)
        return LONG[begin:end]

    with pytest.raises(KeyboardInterrupt):
        made().simulate(69, impatient, chunk=10)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("interruptible")
def test_it_runs_outside_of_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(made().simulate(69, LONG)))
    thread.start()
    thread.join()
    assert found[0].steps == 69


def test_progress_is_shown_where_it_takes_long(monkeypatch, capsys):
    made().simulate(69, LONG, chunk=23, progress=True)
    shown = capsys.readouterr().err
    assert "69 of 69 ms, real-time factor" in shown
    made().simulate(69, LONG, chunk=23)
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    made().simulate(69, LONG, chunk=23)  # not on a terminal
    made().simulate(69, LONG, chunk=23, progress=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")  # which rich takes for a terminal
    made().simulate(69, LONG, chunk=23)
    assert "real-time factor" in capsys.readouterr().err


def test_a_run_that_failed_leaves_nothing_behind():
    net, twin = made(), made()

    def fail(step):
        raise RuntimeError("no")

    with net.record("v1.exc", "v") as rec:
        net._observers["v1.inh"] = fail
        with pytest.raises(RuntimeError, match="no"):
            net.simulate(5, LONG[:5])
        del net._observers["v1.inh"]
        state = made().simulate(5, LONG[:5]).state
        net.load_state_dict(twin.state_dict())
        net.simulate(5, LONG[:5])
    same(rec["v"][-1], state.populations["v1.exc"].neuron.v)
    assert len(rec["v"]) == 5


def test_populations_that_make_their_own_spikes():
    def driven():
        net = cx.Neocortex(
            thalamus=cx.PoissonInput(20, rate=200.0, start="20 ms", stop="40 ms", seed=1),
            a=cx.Population(10, cx.LIF(), background=cx.PoissonDrive(rate=800.0, weight=2.0, seed=2)),
        )
        torch.manual_seed(0)
        net.connect("thalamus", "a", cx.Dense, init=nn.init.uniform_)
        return net.double()

    with torch.no_grad():
        out, state = driven()(steps=60, batch=2, outputs=["thalamus", "a"])
    found = driven().simulate("60 ms", batch=2, record=["thalamus", "a"], chunk=7)
    assert 10 < len(found.events["thalamus"]) == len(found.events["thalamus"].between(20, 40))
    assert len(found.events["a"]) > 10
    for path, spikes in out.items():
        torch.testing.assert_close(found.events[path].dense(torch.float64), spikes)
    same(found.state, state)
    first = driven().simulate(25, batch=2, chunk=7)
    second = driven().simulate(35, state=first.state)
    same(second.state, state)
    assert set(found.rates()) == {"a"}


@pytest.mark.parametrize("where", [None, [2, 1]])
def test_spikes_may_come_as_events_already(where):
    net, spikes = made(), (XS[..., :1] > 0).double().expand(23, 3, 8).reshape(23, 3, 2, 2, 2)
    net.simulate(1, LONG[:1])
    found = []
    for heard in (spikes, Events.of(spikes, axes=3, dt=1.0)):
        with net.record("v1.exc", "spikes", events=True, where=where) as rec:
            for _ in range(2):
                net._spike_listeners["v1.exc"](heard, 1.0)
        found.append(rec)
    dense, ready = (rec["v1.exc.spikes"] for rec in found)
    assert dense.sum() > 20
    assert torch.equal(dense, ready)
    assert ready.shape == (46, 3, 2, 2, 2) if where is None else (46, 3, 2)


def test_what_is_computed_again_is_not_recorded_again():
    net = made(plain=True, loops=False)
    with net.record("v1.exc", "spikes", events=True) as rec:
        out, _ = net(LONG, checkpoint_every=5)
        out["v1.inh"].sum().backward()  # for which the excitatory cells run again
    assert len(rec.events("v1.exc")) == int(out["v1.exc"].sum()) > 20

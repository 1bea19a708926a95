"""What arrives at a population by itself: in steps and sequences, in networks, and in what is stored."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx

N = 5


def drives(**options):
    return {
        "cortex": cx.PoissonDrive(rate=1500.0, weight=torch.linspace(0.1, 0.5, N), seed=3, **options),
        "electrode": cx.ConstantDrive(torch.linspace(0.0, 0.8, N)),
    }


def population(**options):
    dendrite = cx.Dendrite({"proximal": cx.Drive(2.0), "apical": cx.Pull(0.8)})
    neuron = cx.LIF(tau_mem=10.0, refractory_time=2.0)
    return cx.Population(N, neuron, **{"dendrite": dendrite, "background": drives(), **options}).double()


def silence(steps=200, batch=(3,)):
    return torch.zeros(steps, *batch, N, dtype=torch.float64)


def cortex(**options):
    net = cx.Neocortex(
        retina=cx.InputLayer(N), exc=population(), inh=population(background=drives(), inhibitory=True), dt=0.5
    )
    net.connect("retina", "exc", cx.OneToOne, weight=torch.ones(N))
    if options.pop("loop", True):
        net.connect("exc", "inh", cx.OneToOne, weight=torch.ones(N), **options)
        net.connect("inh", "exc", cx.OneToOne, weight=torch.ones(N), **options)
    return net.double()


# Is it true?


def test_it_is_added_to_what_connections_bring_and_injected_past_the_dendrite():
    made, arrived = population(), torch.rand(50, 2, N).double()
    plain = population(background=())
    poisson, electrode = made.background["cortex"], made.background["electrode"]
    state = made.initial_state(arrived[0])
    drawn, _ = poisson(state.background[0], 50, arrived[0], dt=0.5)
    seen = []
    spikes, _ = made({"proximal": arrived}, dt=0.5, observe=seen.append)
    assert_close(torch.stack([step["arrivals"]["proximal"] for step in seen]), arrived + drawn, rtol=0, atol=0)
    current, _ = plain.dendrite({"proximal": arrived + drawn}, neuron=plain.neuron, dt=0.5)
    assert_close(torch.stack([step["current"] for step in seen]), current + electrode.current)
    fired, _ = plain.neuron(current + electrode.current, dt=0.5)
    assert torch.equal(spikes, fired)
    assert spikes.any()


def test_a_cell_driven_by_an_electrode_charges_as_the_closed_form_says():
    made = cx.Population(1, cx.LIF(tau_mem=10.0, resistance=40.0, v_rest=-65.0, v_reset=-65.0, v_threshold=0.0),
                         dendrite=cx.Dendrite(tau_syn=0.5), background=cx.ConstantDrive(0.3)).double()  # fmt: skip
    _, state = made({"proximal": torch.zeros(70, 1, dtype=torch.float64)}, dt=0.1)
    expected = -65 + 12 * (1 - torch.exp(torch.tensor([-0.7], dtype=torch.float64)))
    assert_close(state.neuron.v, expected, rtol=0, atol=1e-6)  # 0.3 in single precision


# Is it lawful?


@pytest.mark.parametrize("compartment", ["proximal", "apical", None])
@pytest.mark.parametrize("behaviors", [(), {"winners": cx.KWinners(2)}])
def test_a_sequence_equals_its_steps(compartment, behaviors):
    made = population(background=drives(compartment=compartment), **dict(behaviors))
    x = 0.2 * torch.rand(60, 2, N).double()
    spikes, end = made({"proximal": x}, dt=0.5)
    state, one_by_one = made.initial_state(x[0]), []
    for t in range(60):
        fired, state = made.step({"proximal": x[t]}, state, dt=0.5)
        one_by_one.append(fired)
    assert torch.equal(torch.stack(one_by_one), spikes)
    assert_close(state.neuron.v, end.neuron.v)
    assert state.background[0].step == 60
    half, state = made({"proximal": x[:31]}, dt=0.5)
    rest, state = made({"proximal": x[31:]}, state, dt=0.5)
    assert torch.equal(torch.cat([half, rest]), spikes)


def test_a_step_without_arrivals_and_a_sequence_of_none():
    made = population()
    fired, state = made.step({}, made.initial_state(silence()[0]), dt=0.5)
    expected, after = made({"proximal": silence(1)}, dt=0.5)
    assert torch.equal(fired, expected[0])
    assert torch.equal(state.neuron.v, after.neuron.v)


def test_samples_differ_and_a_seed_repeats():
    made = population()
    one, other = (made({"proximal": silence()})[0] for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one[:, 0], one[:, 1])


@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize("train", [True, False])
def test_a_network_runs_it_alike_in_blocks_and_pieces(loop, train):
    net = cortex(loop=loop).train(train)
    spikes, end = net(silence())
    assert 0 < spikes["exc"].sum() < spikes["exc"].numel() / 4
    net.block = 1
    assert torch.equal(net(silence())[0]["exc"], spikes["exc"])
    net.block = None
    first, state = net(silence(70))
    second, state = net(silence(130), state)
    assert torch.equal(torch.cat([first["inh"], second["inh"]]), spikes["inh"])
    assert state.populations["exc"].background[0].step == end.populations["exc"].background[0].step == 200
    with torch.no_grad():
        assert torch.equal(net(silence())[0]["exc"], spikes["exc"])
        net.by_events = True
        assert torch.equal(net(silence())[0]["exc"], spikes["exc"])


def test_a_population_that_nothing_but_its_background_reaches():
    def made():
        return population(dendrite=cx.Dendrite({"basal": cx.Drive(4.0), "proximal": cx.Drive(2.0)}))

    out, state = cx.Neocortex(retina=cx.InputLayer(N), exc=made()).double()(silence())
    assert torch.equal(out["exc"], made()({"proximal": silence()})[0])
    assert set(state.populations["exc"].dendrite) == {"proximal"}


def test_events_of_populations_whose_currents_last_one_step():
    net = cx.Neocortex(retina=cx.InputLayer(N), exc=population(dendrite=cx.Dendrite())).double()
    for source in ("retina", "exc"):
        net.connect(source, "exc", cx.OneToOne, weight=torch.ones(N, dtype=torch.float64))
    spikes, end = net(silence())
    assert spikes["exc"].any()
    with torch.no_grad():
        for net.by_events in (None, True):
            again, state = net(silence())
            assert torch.equal(again["exc"], spikes["exc"])
            assert state.populations["exc"].background[0].step == end.populations["exc"].background[0].step


def test_gradients_pass_and_reach_trainable_weights_and_currents():
    weight, current = nn.Parameter(torch.full((N,), 0.3)), nn.Parameter(torch.full((N,), 0.5))
    background = [cx.PoissonDrive(rate=1500.0, weight=weight, seed=1), cx.ConstantDrive(current)]
    made, x = cx.Population(N, cx.LIF(), background=background), torch.rand(40, 2, N, requires_grad=True)
    made({"proximal": x})[0].sum().backward()
    assert all(each.grad.abs().sum() > 0 for each in (x, *made.background.parameters()))


@pytest.mark.parametrize("options", [{"detach_every": 30}, {"checkpoint_every": 30}])
def test_truncated_and_checkpointed_runs_draw_the_same(options):
    net = cortex()
    spikes, _ = net(silence(100))
    again, _ = net(silence(100), **options)
    assert torch.equal(again["exc"], spikes["exc"])


def test_it_is_switched_off():
    net = cortex()
    before = net(silence())[0]["exc"]
    assert net.switch("*.background.*", on=False) == [
        f"{name}.background.{each}" for name in ("exc", "inh") for each in ("cortex", "electrode")
    ]
    assert not net(silence())[0]["exc"].any()
    net.switch(cx.Background, on=True)
    assert torch.equal(net(silence())[0]["exc"], before)


def test_it_is_copied_stored_and_named(tmp_path):
    net = cortex()
    spikes = net(silence())[0]["exc"]
    net.save(tmp_path)
    for other in (copy.deepcopy(net), net.replicate(weights=True), cx.load(tmp_path)):
        assert torch.equal(other(silence())[0]["exc"], spikes)
    one, other = (each({"proximal": silence()})[0] for each in (net["exc"], net["exc"].replicate()))
    assert torch.equal(one, other)
    assert "exc: 5 x LIF, PoissonDrive, ConstantDrive" in repr(net)
    assert cx.load(tmp_path)["exc.background.cortex"].seed == 3
    net.switch("exc.background.electrode", on=False)
    net.save(tmp_path)
    assert not cx.load(tmp_path)["exc.background.electrode"].enabled
    with net.record("exc", "proximal", "synaptic.proximal") as recording:
        net(silence())
    assert recording["proximal"].any()


def test_a_trainable_background_is_stored(tmp_path):
    weight = nn.Parameter(torch.linspace(0.0, 1.0, N))
    cx.Population(N, cx.LIF(), background=cx.PoissonDrive(rate=8.0, weight=weight)).save(tmp_path)
    found = cx.load(tmp_path).background["0"]
    assert isinstance(found.weight, nn.Parameter)
    assert torch.equal(found.weight, weight)


# Does it fail well?


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="Expected a compartment among proximal, apical, got 'basal'"):
        population(background=cx.PoissonDrive(rate=1.0, weight=1.0, compartment="basal"))
    with pytest.raises(TypeError, match="Expected `background` to be a Background, such as a PoissonDrive, got LIF"):
        population(background=[cx.LIF()])
    with pytest.raises(ValueError, match=r"`rate` of PoissonDrive to be a number or to fit the population's shape"):
        population(background=cx.PoissonDrive(rate=torch.ones(4), weight=1.0))
    made = population()
    state = made.initial_state(silence()[0])._replace(background=())
    with pytest.raises(ValueError, match="`state` with that of 2 parts of the background, got 0"):
        made({"proximal": silence()}, state)
    net = cortex()
    old = cx.Neocortex(retina=cx.InputLayer(N), exc=population(background=()), inh=population())
    for source, target in (("retina", "exc"), ("exc", "inh"), ("inh", "exc")):
        old.connect(source, target, cx.OneToOne, weight=torch.ones(N))
    old = old.double()
    with pytest.raises(ValueError, match="`state` of this network as it is now, got one that differs in exc"):
        net(silence(), old(silence())[1])

"""Areas: densities, flags, subsets, names; initial weights: balance and spectral radius, as asked."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.rates import (
    CTRNN,
    Areas,
    Dale,
    MultiArea,
    MultiAreaEI,
    NoSelf,
    RandomInput,
    Sparsity,
    balance_,
    by_area_,
    ei_signs,
    spectral_radius_,
)
from conex_nn.testing import check_module

SIZES = {"v1": 200, "mt": 150, "pfc": 100}


def near(mask, density):
    """Whether a mask's density is what it was drawn with."""
    return abs(mask.float().mean().item() - density) < 5 * math.sqrt(density * (1 - density) / mask.numel()) + 1e-9


def block(areas, post, pre):
    return areas.recurrent[areas.index(post)][:, areas.index(pre)]


def test_densities_of_a_chain_of_areas():
    areas = MultiArea(SIZES, within=0.5, forward=0.2, backward=0.05, input_areas=["v1"], readout_areas=["pfc", "mt"])
    assert near(block(areas, "mt", "mt"), 0.5)
    assert near(block(areas, "pfc", "v1"), 0.2)
    assert near(block(areas, "v1", "mt"), 0.05)
    assert torch.equal(areas.index("input"), torch.arange(200))
    assert torch.equal(areas.index("readout"), torch.arange(200, 450))
    assert areas.input_mask(2)[:200].all()
    assert not areas.input_mask(2)[200:].any()
    assert areas.readout_mask(3).sum() == 3 * 250
    assert MultiArea([3, 4]).names == ("area_0", "area_1")


def test_densities_by_a_table():
    table = torch.tensor([[1.0, 0.0], [0.3, 0.0]])
    areas = MultiArea([120, 130], connectivity=table)
    for i in range(2):
        for j in range(2):
            assert near(block(areas, f"area_{i}", f"area_{j}"), table[i, j].item())


def test_kinds_of_neurons_and_of_pairs():
    areas = MultiAreaEI(
        {"v1": 300, "pfc": 200},
        forward=0.4,
        backward=0.2,
        pairs_within={"ii": 0.5},
        pairs_between={"ei": 0.5, "ie": False, "ii": False},
        inhibitory_readout=False,
        readout_areas=["pfc"],
    )
    assert len(areas.index("v1.excitatory")) == 240
    assert torch.equal(areas.index("inhibitory"), torch.cat([torch.arange(240, 300), torch.arange(460, 500)]))
    assert torch.equal(areas.index("readout"), areas.index("pfc.excitatory"))
    assert near(block(areas, "v1.inhibitory", "v1.inhibitory"), 0.5)
    assert block(areas, "v1.excitatory", "v1.inhibitory").all()
    assert near(block(areas, "pfc.excitatory", "v1.excitatory"), 0.4)
    assert near(block(areas, "pfc.inhibitory", "v1.excitatory"), 0.2)  # ei: from excitatory to inhibitory
    assert near(block(areas, "v1.excitatory", "pfc.excitatory"), 0.2)
    assert not block(areas, "pfc", "v1.inhibitory").any()
    assert not block(areas, "v1", "pfc.inhibitory").any()


@pytest.mark.parametrize("overlap", [True, False])
def test_random_subsets(overlap):
    areas = RandomInput(400, inputs=0.4, readouts=0.5, recurrent=0.3, overlap=overlap)
    both = set(areas.index("input").tolist()) & set(areas.index("readout").tolist())
    assert len(areas.index("input")) == 160
    assert len(areas.index("readout")) == 200
    assert bool(both) is overlap
    assert near(areas.recurrent, 0.3)
    assert areas.index("input").max() > 160  # not the first ones


def test_a_generator_makes_them_reproducible():
    for make in (lambda g: MultiArea(SIZES, generator=g), lambda g: MultiAreaEI(SIZES, generator=g)):
        one, other = (make(torch.Generator().manual_seed(5)) for _ in range(2))
        assert torch.equal(one.recurrent, other.recurrent)
        assert not torch.equal(one.recurrent, make(torch.Generator().manual_seed(6)).recurrent)


def test_a_network_of_areas_has_their_masks_signs_and_speeds():
    areas = MultiAreaEI({"v1": 20, "pfc": 10}, input_areas=["v1"], readout_areas=["pfc"])
    net = CTRNN(3, 30, output_size=2, areas=areas, tau={"v1": 10.0, "pfc": 100.0}, recurrent_constraints=[NoSelf()])
    assert ((net.recurrent.weight != 0) == areas.recurrent & ~torch.eye(30).bool()).all()
    assert (net.recurrent.weight * areas.signs >= 0).all()
    assert (net.readout.weight * areas.signs >= 0).all()
    assert (net.input.weight[20:] == 0).all()
    assert (net.readout.weight[:, :20] == 0).all()
    by_neuron = torch.tensor([10.0] * 20 + [100.0] * 10)
    other = CTRNN(3, 30, output_size=2, areas=areas, tau=by_neuron, recurrent_constraints=[NoSelf()])
    other.load_state_dict({k: v for k, v in net.state_dict().items() if k != "area_of"} | {"tau": by_neuron})
    x = torch.randn(8, 2, 3)
    assert_close(net(x)[0], other(x)[0])


def test_a_tau_by_name_is_its_areas_where_each_has_one_neuron():
    net = CTRNN(1, 2, areas=Areas({"a": [1], "b": [0]}), tau={"a": 10.0, "b": 100.0})
    assert net.time_constants().tolist() == [100.0, 10.0]


def test_one_trained_tau_for_each_area():
    areas = MultiArea({"v1": 20, "pfc": 10})
    net = CTRNN(3, 30, areas=areas, tau=nn.Parameter(areas.per_area({"v1": 10.0, "pfc": 100.0})), activation=torch.tanh)
    net(torch.randn(20, 4, 3))[0].square().sum().backward()
    assert net.log_tau.grad.shape == (2,)
    assert (net.log_tau.grad != 0).all()
    check_module(
        lambda: CTRNN(3, 30, output_size=2, areas=areas, tau={"v1": 3.0, "pfc": 9.0}, activation=torch.tanh),
        torch.randn(6, 3, 3),
        skip=["permutation"],
    )


def test_what_is_passed_in_is_copied():
    mask, signs = torch.ones(3, 3), torch.ones(3)
    areas = Areas({"all": range(3)}, recurrent=mask, signs=signs)
    mask.zero_()
    signs.zero_()
    assert areas.recurrent.all()
    assert (areas.signs == 1).all()


def test_blocks_are_sorted_by_area():
    areas = Areas({"b": [1, 3], "a": [0, 2]}, recurrent=torch.arange(16).view(4, 4) % 3 > 0)
    blocks = areas.blocks()
    order = [1, 3, 0, 2]
    assert torch.equal(blocks.matrix, areas.recurrent[order][:, order].float())
    assert blocks.edges == (0, 2, 4)


def test_rows_of_a_balanced_weight_add_up_to_nothing():
    mask, signs = torch.rand(200, 200) < 0.2, ei_signs(200)
    net = CTRNN(1, 200, recurrent_constraints=[Dale(signs), Sparsity(mask), NoSelf()], recurrent_init=balance_)
    weight = net.recurrent.weight.detach()
    assert weight.sum(1).abs().max() < 1e-5
    assert (weight.clamp(min=0).sum(1) > 0.5).all()
    assert (weight * signs >= 0).all()
    assert (weight[~mask] == 0).all()


@pytest.mark.parametrize("radius", [0.3, 1.5])
def test_the_spectral_radius_is_the_one_asked_for(radius):
    signs = ei_signs(100)
    net = CTRNN(
        1,
        100,
        recurrent_constraints=[Dale(signs), NoSelf()],
        recurrent_init=[nn.init.normal_, balance_, lambda w: spectral_radius_(w, radius)],
    )
    weight = net.recurrent.weight.detach().double()
    assert torch.linalg.eigvals(weight).abs().max().item() == pytest.approx(radius, rel=1e-4)
    assert weight.sum(1).abs().max() < 1e-4
    assert (weight * signs >= 0).all()


def test_a_weight_that_keeps_what_is_written_is_balanced_in_place():
    weight = CTRNN(1, 20).recurrent.weight
    balance_(weight)
    assert weight.sum(1).abs().max() < 1e-5
    balance_(weight[:10])


def test_areas_have_initial_weights_of_their_own():
    areas = MultiArea({"v1": 20, "pfc": 10})
    net = CTRNN(1, 30, recurrent_init=by_area_(areas, {"v1": nn.init.orthogonal_, "pfc": nn.init.zeros_}))
    weight = net.recurrent.weight.detach()
    assert_close(weight[:20, :20] @ weight[:20, :20].t(), torch.eye(20), rtol=0, atol=1e-5)
    assert (weight[20:, 20:] == 0).all()
    assert (weight[20:, :20] != 0).all()


def test_what_cannot_be_balanced_is_named():
    with pytest.warns(UserWarning, match="Neuron 1 has weights of one sign"):
        weight = balance_(torch.tensor([[1.0, -3.0], [1.0, 2.0]]))
    assert_close(weight, torch.tensor([[1.0, -1.0], [1.0, 2.0]]))


AREAS = Areas({"v1": range(2), "pfc": range(2, 4)})


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Areas({"v1": range(2), "pfc": range(3, 5)}),
            ValueError,
            "cover all neurons up to 4, but none has .2.",
        ),
        (lambda: Areas({"v1": [-1, 0]}), ValueError, "indices of at least 0"),
        (lambda: Areas({"v1": [0, 0, 1]}), ValueError, "each neuron once in the area 'v1'"),
        (lambda: Areas({"v1": torch.tensor([True, False])}), TypeError, "whole numbers, got torch.bool"),
        (lambda: Areas({"v1": [0.2, 1.7]}), TypeError, "whole numbers, got torch.float32"),
        (lambda: Areas({"v1": range(1)}, recurrent=[[1]]), TypeError, "Expected `recurrent` to be a tensor"),
        (lambda: Areas({"v1": range(1)}, recurrent=torch.tensor([[0.3]])), ValueError, "values 0 and 1 .1., got 0.3"),
        (lambda: Areas({"v1": range(1)}, receives=torch.tensor([2])), ValueError, "`receives` with values 0 and 1"),
        (lambda: Areas({"v1": range(1)}, signs=torch.zeros(1)), ValueError, "`signs` with values 1 and -1 .1., got 0"),
        (
            lambda: balance_(CTRNN(1, 5, recurrent_constraints=[NoSelf()]).recurrent.weight),
            ValueError,
            "that keeps what is written into it",
        ),
        (
            lambda: spectral_radius_(CTRNN(1, 5, recurrent_constraints=[NoSelf()]).recurrent.weight, 1.0),
            ValueError,
            "that keeps what is written into it",
        ),
        (lambda: Areas({"v1": []}), ValueError, "at least one area of at least one neuron"),
        (lambda: Areas({"v1": range(3)}, recurrent=torch.ones(2, 2)), ValueError, "Expected `recurrent` of shape"),
        (lambda: Areas({"v1": range(3)}, read=torch.ones(2)), ValueError, "Expected `read` of shape"),
        (lambda: Areas({"v1": range(3), "pfc": range(2, 5)}).area_of(), ValueError, "share no neuron"),
        (lambda: AREAS.index("v2"), KeyError, "Expected an area among v1, pfc"),
        (lambda: AREAS.index("inhibitory"), KeyError, "Expected an area among"),
        (lambda: AREAS.per_area({"v1": 1.0}), ValueError, "one value for each area"),
        (lambda: CTRNN(2, 5, areas=AREAS), ValueError, "Expected `areas` that cover the 5 neurons"),
        (lambda: CTRNN(2, 4, tau={"v1": 1.0}), ValueError, "Expected `areas` with a `tau` by"),
        (lambda: CTRNN(2, 4, areas=AREAS, tau=torch.ones(3)), ValueError, "4 neurons or 2 areas"),
        (lambda: MultiArea([0, 3]), ValueError, "Expected `sizes` to be whole numbers"),
        (lambda: MultiArea([2, 3], forward=1.2), ValueError, "densities from 0 to 1"),
        (lambda: MultiArea([2, 3], connectivity=torch.ones(3, 3)), ValueError, "Expected `connectivity` of shape"),
        (lambda: MultiArea([2, 3], input_areas=["v1"]), ValueError, "Expected `input_areas` to be a list of names"),
        (lambda: MultiAreaEI([2, 3], pairs_within={"xx": 1.0}), ValueError, "Expected `pairs_within` to name pairs"),
        (
            lambda: MultiAreaEI([2, 3], pairs_between={"ee": 2.0}),
            ValueError,
            "Expected `pairs_between` to be densities",
        ),
        (lambda: RandomInput(10, inputs=-0.1), ValueError, "Expected `inputs` from 0 to 1"),
        (lambda: RandomInput(10, inputs=0.6, readouts=0.6, overlap=False), ValueError, "at most 1 together"),
        (lambda: spectral_radius_(torch.ones(2, 3), 1.0), ValueError, "Expected `weight` to be square"),
        (lambda: spectral_radius_(torch.ones(2, 2), -1.0), ValueError, "Expected `radius` not to be negative"),
        (lambda: spectral_radius_(torch.ones(2, 2).triu(1), 1.0), ValueError, "with an eigenvalue that is not 0"),
        (lambda: by_area_(AREAS, {"v4": nn.init.zeros_}), KeyError, "Expected an area"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()

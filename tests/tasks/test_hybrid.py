"""tasks.hybrid: what local learning adds."""

import json
from dataclasses import replace

import pytest
import torch

import conex_nn as cx
import tasks.hybrid
from tasks.hybrid import RECIPES, VARIANTS, Config, Contrast, competition, network, pretrained


@pytest.mark.long
def test_hybrid_leaves_a_report_with_its_ablation(tmp_path):
    config = Config(epochs=1, images=64, ablation_images=64, channels=4, out=tmp_path, seed=2)
    metrics = tasks.hybrid.main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(metrics["test/accuracy"])
    assert report["seed"] == 2
    assert set(report["ablation"]) == {"title", *VARIANTS}
    for variant in VARIANTS:
        assert report["ablation"][variant]["accuracy"] == pytest.approx(metrics[variant])
    assert {"conv1.weight-0.png", "conv1.weight-1.png", "confusion.png"} <= {path.name for path in tmp_path.iterdir()}


def _net(variant):
    kernels = torch.rand(8, 2, 3, 3)
    return network(variant, kernels, RECIPES["digits"], Config(), (1, 8, 8), 10), kernels


def test_first_layers_differ_as_they_say():
    for variant in VARIANTS:
        net, kernels = _net(variant)
        assert net.conv1.weight.requires_grad != variant.startswith("frozen")
        assert torch.equal(net.conv1.weight, kernels) == (variant in ("joint", "frozen STDP"))
        assert hasattr(net.conv1, "plasticity") == (variant == "joint")
        assert net(torch.rand(4, 3, 2, 8, 8))[0].shape == (4, 3, 10)


def test_channels_compete_at_each_place():
    torch.manual_seed(0)
    net = competition(RECIPES["digits"], (1, 8, 8))
    before, threshold = net.conv1.weight.clone(), net.layer1.population.neuron.v_threshold.clone()
    out, _ = net(torch.rand(1, 3, 2, 8, 8).expand(6, 3, 2, 8, 8))
    spikes = out.unflatten(2, (8, 8, 8))
    assert spikes.sum() > 0
    assert spikes.sum((0, 2)).max() <= 1
    assert not torch.equal(net.conv1.weight, before)
    assert not torch.equal(net.layer1.population.neuron.v_threshold, threshold)


def test_kernels_of_stdp_are_in_balance(tmp_path):
    data = cx.data.Digits(encoder=Contrast(cx.encoders.ConstantCurrent(4), size=5), batch_size=32)
    kernels = pretrained(replace(RECIPES["digits"], images=96), Config(out=tmp_path), data)
    assert kernels.shape == (8, 2, 3, 3)
    assert kernels.sum((1, 2, 3)).abs().max() < 1e-5
    assert kernels.std() > 0.01


def test_contrast_is_nothing_where_all_is_alike():
    contrast = Contrast(torch.nn.Identity(), size=3)
    assert contrast(torch.full((1, 1, 5, 5), 0.7)).abs().max() < 1e-6
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 1
    light, dark = contrast(point)[0]
    assert light.nonzero().tolist() == [[2, 2]]
    assert (dark > 0).sum() == 8


def test_unsuitable_options():
    with pytest.raises(ValueError, match="`channels` to be at least 1, got 0"):
        Config(channels=0)

"""Networks that learn by rules, by reward, and by both rules and gradients, under a Trainer."""

from functools import partial

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

import conex_nn as cx
from conex_nn.plasticity import at_step, attach, chain
from conex_nn.training import LabelAssignment, SpikingClassifier
from conex_nn.training.modulation import modulator_signal

from .local_nets import KINDS, NEURONS, cortex_hybrid, cortex_rstdp, first_weight, hybrid, layer, reward, rstdp, stdp
from .stripes import CLASSES, FEATURES, Stripes, trainer

TIME = 20


def fit(model, folder, *, epochs=2, data=None, **options):
    data = Stripes(time=TIME) if data is None else data
    trainer(folder, max_epochs=epochs, **options).fit(model, datamodule=data)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_learn_log_and_are_tested(tmp_path, kind):
    L.seed_everything(1, verbose=False)
    model, data = KINDS[kind](), Stripes(time=TIME)
    before = first_weight(model).detach().clone()
    runner = trainer(tmp_path, max_epochs=2)
    runner.fit(model, datamodule=data)
    assert not torch.equal(first_weight(model), before)
    assert runner.global_step == 6
    logged = runner.callback_metrics
    assert {"train/loss", "train/accuracy", "val/loss", "val/accuracy"} <= set(logged)
    assert ("train/payoff" in logged) == kind.startswith("rstdp")
    after = first_weight(model).detach().clone()
    (tested,) = runner.test(model, datamodule=data, verbose=False)
    assert {"test/accuracy", "test/latency"} <= set(tested)
    assert torch.equal(first_weight(model), after)  # nothing is learned from what is tested


def test_a_class_that_training_never_sees_is_told(tmp_path):
    x, labels = (torch.rand(8, TIME, 6) < 0.5).float(), torch.arange(8) % 2
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, labels), batch_size=4)
    with pytest.warns(UserWarning, match="No sample of class 2 was seen"):
        trainer(tmp_path, max_epochs=1).fit(KINDS["stdp"](), loader)


def test_a_payoff_of_each_step_teaches_at_each_step(tmp_path):
    """One that is the same at all steps teaches what one for the whole sample does; one for the first step does not."""
    x, labels = (torch.rand(8, TIME, 6) < 0.5).float(), torch.arange(8) % 3
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, labels), batch_size=4)

    def pay(outputs, labels):
        return torch.ones(len(outputs), len(labels))

    def pay_first(outputs, labels):
        return torch.ones(len(outputs), 1).scatter(0, torch.arange(1, len(outputs))[:, None], 0).expand(-1, len(labels))

    found = []
    for payoff in (pay, lambda outputs, labels: torch.ones(len(labels)), pay_first):
        torch.manual_seed(1)
        model = KINDS["rstdp"](payoff=payoff, modulators={})
        before = first_weight(model).detach().clone()
        trainer(tmp_path, max_epochs=1).fit(model, loader)
        found.append(first_weight(model).detach() - before)
    assert found[0].abs().max() > 0.01
    torch.testing.assert_close(found[0], found[1])
    assert not torch.allclose(found[0], found[2], atol=1e-3)


class Interrupt(L.Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise InterruptedError


def _run(kind, folder, *, interrupt=False, ckpt_path=None, **saving):
    L.seed_everything(5, verbose=False)
    model = KINDS[kind]()
    saving = ModelCheckpoint(folder, "{epoch}", save_top_k=-1, **saving)
    fitted = trainer(
        folder, max_epochs=3, enable_checkpointing=True, callbacks=[saving, *([Interrupt()] if interrupt else [])]
    )
    if ckpt_path is not None:
        torch.rand(17)  # what a program may draw while it is started again
    fitted.fit(model, datamodule=Stripes(time=TIME), ckpt_path=ckpt_path)
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("saving", [{}, {"save_on_train_epoch_end": False, "monitor": "val/loss"}])
def test_resumed_equals_uninterrupted(tmp_path, kind, saving):
    whole = _run(kind, tmp_path / "whole", **saving)
    with pytest.raises(InterruptedError):
        _run(kind, tmp_path / "first", interrupt=True, **saving)
    resumed = _run(kind, tmp_path / "second", ckpt_path=tmp_path / "first" / "epoch=0.ckpt", **saving)
    assert whole.state_dict().keys() == resumed.state_dict().keys()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_labels_are_of_the_newest_epoch_of_training(tmp_path):
    """Those of the first epoch are gone: the responses are those of one epoch, and validation and test add nothing."""
    model = fit(stdp(), tmp_path, epochs=3)
    assert model.assignment.samples.tolist() == [8, 8, 8]
    assert model.assignment.responses.shape == (CLASSES, NEURONS)
    before = model.assignment.responses.clone()
    trainer(tmp_path).test(model, datamodule=Stripes(time=TIME), verbose=False)
    assert torch.equal(model.assignment.responses, before)


def test_a_first_epoch_that_is_broken_off_has_labels(tmp_path):
    model = stdp()
    trainer(tmp_path, max_steps=2, limit_val_batches=0).fit(model, datamodule=Stripes(time=TIME))
    assert model.assignment.samples.sum() == 16


class KeepsLabels(L.Callback):
    def __init__(self):
        self.seen = []

    def on_validation_end(self, trainer, pl_module):
        self.seen.append(None if trainer.sanity_checking else pl_module.assignment.responses.clone())


def test_validation_has_the_labels_of_its_epoch(tmp_path):
    keep = KeepsLabels()
    model = fit(stdp(), tmp_path, callbacks=[keep])
    assert keep.seen[0] is None  # the check before training has no labels, and needs none
    assert not torch.equal(keep.seen[1], keep.seen[2])
    assert torch.equal(keep.seen[2], model.assignment.responses)
    halves = KeepsLabels()
    fit(stdp(), tmp_path, callbacks=[halves], val_check_interval=1 / 3)
    assert halves.seen[1].sum() < halves.seen[3].sum()  # in the middle of the first epoch: what there is
    assert torch.equal(halves.seen[3], halves.seen[4])  # in the middle of the second: those of the first


def test_an_assignment_of_ones_own(tmp_path):
    own = LabelAssignment(CLASSES, proportional=True)
    model = fit(stdp(), tmp_path)
    again = SpikingClassifier(stdp().net, num_classes=CLASSES, assignment=own)
    assert again.assignment is own
    again.load_state_dict(model.state_dict())
    assert own.assigned
    with pytest.raises(ValueError, match="`assignment` of `num_classes` = 4"):
        SpikingClassifier(stdp().net, num_classes=4, assignment=own)


def test_labels_before_any_response(tmp_path):
    with pytest.raises(ValueError, match="responses to assign labels by, got none yet"):
        trainer(tmp_path).test(stdp(), datamodule=Stripes(), verbose=False)


def test_reward_is_given_to_the_rule(tmp_path):
    """What the rule learns is what it learns when told by hand."""
    torch.manual_seed(0)
    model, data = rstdp(modulators={}), Stripes(time=TIME, batch_size=24)
    twin = rstdp(modulators={}).net
    twin.load_state_dict(model.net.state_dict())
    xs = []
    model.net.register_forward_pre_hook(lambda module, inputs: xs.append(inputs[0]) if module.training else None)
    labels = []
    model.payoff = lambda outputs, y: labels.append(y) or reward(outputs, y)
    fit(model, tmp_path, epochs=1, data=data)
    out, _ = twin(xs[0])
    twin[0].attachments["plasticity"].learn(dopamine=reward(out, labels[0])[None])
    torch.testing.assert_close(model.net[0].weight, twin[0].weight)


def test_signals_of_a_payoff():
    payoff, dopamine = torch.tensor([1.0, -1.0]), cx.plasticity.Dopamine(tau=10.0)
    surprise = cx.plasticity.RewardPredictionError(rate=0.5)
    spread = at_step(payoff, steps=3)
    signal = partial(modulator_signal, steps=3, dt=1.0)
    torch.testing.assert_close(signal(dopamine, payoff), spread)
    torch.testing.assert_close(signal(dopamine, spread.flip(0)), dopamine(spread.flip(0))[0])
    torch.testing.assert_close(signal(surprise, payoff + 2), payoff[None] + 2)  # nothing was expected
    torch.testing.assert_close(signal(surprise, payoff + 2), payoff[None] + 1)
    chained = nn.Sequential(surprise.eval(), dopamine)
    torch.testing.assert_close(signal(chained, payoff)[-1], payoff - surprise.expected)
    assert signal(None, payoff).shape == (1, 2)


def test_a_weight_in_force_during_the_step_is_that_of_the_gradient(tmp_path):
    """A rule in the weight and a gradient on it: both changes add up."""
    L.seed_everything(3, verbose=False)
    models = {into: hybrid(into=into, optimizer=partial(torch.optim.SGD, lr=1.0)) for into in ("weight", "grad")}
    models["grad"].load_state_dict(models["weight"].state_dict())
    for model in models.values():
        L.seed_everything(4, verbose=False)
        fit(model, tmp_path, epochs=1, limit_train_batches=1, num_sanity_val_steps=0)
    torch.testing.assert_close(models["weight"].net[0].weight, models["grad"].net[0].weight)


def test_a_rule_in_the_gradient_of_a_weight_without_one(tmp_path):
    net = cx.Sequential(layer(FEATURES, CLASSES), cx.LIF(tau_mem=5.0)).requires_grad_(False)
    attach(cx.STDP(a_plus=0.05), synapse=net[0], neuron=net[1], into="grad")
    before = net[0].weight.clone()
    fit(SpikingClassifier(net, num_classes=CLASSES, optimizer=partial(torch.optim.SGD, lr=0.5)), tmp_path)
    assert not torch.equal(net[0].weight, before)


# What a user gets wrong


def test_a_rule_on_a_weight_of_the_optimizer(tmp_path):
    net = cx.Sequential(layer(FEATURES, 4), cx.LIF(), nn.Linear(4, CLASSES), cx.LI())
    handle = attach(cx.STDP(), synapse=net[0], neuron=net[1])
    message = r"'0.weight' to be learned by its rule \(STDP\) alone.*say `gradient=True`.*requires_grad_\(False\)"
    with pytest.raises(ValueError, match=message):
        fit(SpikingClassifier(net, num_classes=CLASSES), tmp_path)
    for remedy in ({"gradient": True}, {"gradient": False}):
        handle.remove()
        handle = attach(cx.STDP(), synapse=net[0], neuron=net[1], **remedy)
        fit(SpikingClassifier(net, num_classes=CLASSES), tmp_path, epochs=1)


def test_a_rule_in_the_gradient_without_an_optimizer(tmp_path):
    model = hybrid(into="grad", optimizer=lambda parameters: torch.optim.SGD(list(parameters)[1:], lr=0.1))
    with pytest.raises(ValueError, match=r"an optimizer that holds '0.weight', since its rule .STDP. goes"):
        fit(model, tmp_path)
    model = hybrid(into="weight", optimizer=lambda parameters: torch.optim.SGD(list(parameters)[1:], lr=0.1))
    with pytest.raises(ValueError, match="since `gradient=True` was said of it"):
        fit(model, tmp_path)
    with pytest.raises(ValueError, match=r"got `gradient=False`. Leave out one"):
        attach(cx.STDP(), synapse=nn.Linear(2, 3), neuron=cx.LIF(), into="grad", gradient=False)


def test_reward_without_a_payoff_and_a_payoff_without_a_rule(tmp_path):
    with pytest.raises(ValueError, match=r"Expected a `payoff`, since the rule of '0.weight' waits for 'dopamine'"):
        fit(rstdp(payoff=None, modulators={}), tmp_path)
    with pytest.raises(ValueError, match="a rule that waits for a modulator"):
        fit(stdp(payoff=reward), tmp_path)
    with pytest.raises(ValueError, match="that rules wait for, 'dopamine', got 'serotonin'"):
        fit(rstdp(modulators={"serotonin": cx.plasticity.Dopamine()}), tmp_path)
    with pytest.raises(ValueError, match=r"`payoff` to return \(8,\) or \(20, 8\).*got \(\)"):
        fit(rstdp(payoff=lambda outputs, labels: outputs.sum()), tmp_path)


def test_errors_of_a_cortex_name_the_connection(tmp_path):
    with pytest.raises(ValueError, match=r"Expected a `payoff`, since the rule of 'connections.eye.*v1.*weight' waits"):
        fit(SpikingClassifier(cortex_rstdp().net, num_classes=CLASSES), tmp_path)
    model = cortex_rstdp()
    first_weight(model).requires_grad_(True)
    with pytest.raises(ValueError, match=r"'connections.eye.*v1.*weight' to be learned by its rule"):
        fit(model, tmp_path)


def test_a_rule_of_a_cortex_in_the_gradient_of_a_weight_without_one(tmp_path):
    model = cortex_hybrid()
    model.net.requires_grad_(False)
    before = first_weight(model).clone()
    fit(model, tmp_path)
    assert not torch.equal(first_weight(model), before)


def test_two_rules_wait_on_one_layer(tmp_path):
    model = rstdp()
    net = model.net
    attach(chain(cx.RSTDP(by="reward")), synapse=net[0], neuron=net[1], gradient=False)
    before = net[0].weight.clone()
    fit(model, tmp_path, epochs=1)
    assert not torch.equal(net[0].weight, before)


def test_a_reward_at_every_step_is_no_business_of_a_classifier(tmp_path):
    net = cx.Neocortex(eye=cx.InputLayer(FEATURES), v1=cx.Population(3, cx.LIF()))
    net.connect("eye", "v1", cx.Dense, rule=cx.RSTDP(), when="step")
    with pytest.raises(ValueError, match=r"Expected the rule of 'connections.eye.*once a sequence"):
        fit(cx.training.SpikingClassifier(net, num_classes=3, payoff=reward), tmp_path)

"""The battery passes what is lawful and catches planted defects, each by the law that names it."""

from collections import deque
from weakref import WeakKeyDictionary

import pytest
import torch
from torch import nn

from conex_nn.neurons import LIF, Neuron, ThresholdState
from conex_nn.surrogate import atan
from conex_nn.testing import LAWS, check_module
from conex_nn.testing.laws import Case


class Plain(Neuron):
    """A lawful neuron without a kernel; the defects below are planted in copies of it."""

    State = ThresholdState

    def __init__(self):
        super().__init__()
        self.register_buffer("decay", torch.tensor([0.75]))
        self.spike = atan()

    def step(self, current, state, *, dt=1.0):
        v = self.decay * state.v + current
        spikes = self.spike(v - 1)
        return spikes, ThresholdState(v * (1 - spikes.detach()), state.refractory)


REMEMBERED = WeakKeyDictionary()


class KeepsState(Plain):
    def step(self, current, state, *, dt=1.0):
        spikes, self.last = super().step(current, getattr(self, "last", state))
        return spikes, self.last


class KeepsStateInAList(Plain):
    seen = deque()  # of the class, so it is on no module  # noqa: RUF012

    def step(self, current, state, *, dt=1.0):
        self.seen.append(current.detach())
        return super().step(current, state)


class ChangesABuffer(Plain):
    def step(self, current, state, *, dt=1.0):
        self.decay.add_(1e-12)
        return super().step(current, state)


class ChangesItsInput(Plain):
    def forward(self, current, state=None, **options):
        result = super().forward(current, state, **options)
        current.detach().mul_(1.0)
        return result


class ChangesItsState(Plain):
    def step(self, current, state, *, dt=1.0):
        spikes, after = super().step(current, state)
        state.v.data.copy_(after.v.detach())
        return spikes, after


class MixesTheBatch(Plain):
    def step(self, current, state, *, dt=1.0):
        return super().step(current - 0.1 * current.mean(0, keepdim=True), state)


class MixesTheNeurons(Plain):
    def step(self, current, state, *, dt=1.0):
        return super().step(current + 0.3 * current.roll(1, -1) * torch.arange(current.shape[-1]).to(current), state)


class ForgetsBetweenCalls(Plain):
    def forward(self, current, state=None, **options):
        return super().forward(current, None, **options)


class FusesWrongly(Plain):
    def fused(self, current, state, *, dt):
        ys = (current > 1).to(current.dtype)
        return ys + 0 * current, state


class KeepsAPlainTensor(Plain):
    def __init__(self):
        super().__init__()
        self.gain = torch.ones(1)

    def step(self, current, state, *, dt=1.0):
        return super().step(self.gain * current, state)


class CachesAConstant(Plain):
    def __init__(self):
        super().__init__()
        self.decay.copy_(0.6 + 0.3 * torch.rand(1))
        self.factor = 1 * self.decay

    def step(self, current, state, *, dt=1.0):
        v = self.factor * state.v + current
        spikes = self.spike(v - 1)
        return spikes, ThresholdState(v * (1 - spikes.detach()), state.refractory)


class RefusesToBeCopied(Plain):
    def __deepcopy__(self, memo):
        copied = RefusesToBeCopied()
        copied.decay *= 0.5
        return copied


class RefusesToBePickled(Plain):
    def __init__(self):
        super().__init__()
        self.spike = lambda x: atan()(x)


class TrainReturnsNothing(Plain):
    def train(self, mode=True):
        super().train(mode)

    def eval(self):
        super().train(False)
        return self


class LosesTheGradient(Plain):
    def step(self, current, state, *, dt=1.0):
        return super().step(current.detach() + 0 * current, state)


class TakesNoStep(Plain):
    def forward(self, current, state=None, **options):
        if len(current) == 0:
            return current, state
        return super().forward(current, state, **options)


class IgnoresDetaching(Plain):
    def forward(self, current, state=None, *, dt=1.0, detach_every=None, checkpoint_every=None):
        return super().forward(current, state, dt=dt, checkpoint_every=checkpoint_every)


class DropsABlock(Plain):
    def forward(self, current, state=None, *, dt=1.0, detach_every=None, checkpoint_every=None):
        if checkpoint_every:
            current = torch.cat([current[:-1], current[-1:].detach()])
        return super().forward(current, state, dt=dt, detach_every=detach_every)


class TimeLast(Plain):
    def forward(self, current, state=None, **options):
        ys, state = super().forward(current, state, **options)
        return ys.movedim(0, -1), state


class Explodes(Plain):
    def step(self, current, state, *, dt=1.0):
        return super().step(current / 0, state)


class RemembersAConstantElsewhere(Plain):
    """Neither `forgets` nor anything else on the module shows what is kept beside it."""

    def step(self, current, state, *, dt=1.0):
        decay = REMEMBERED.setdefault(self, self.decay.clone())
        v = decay * state.v + current
        spikes = self.spike(v - 1)
        return spikes, ThresholdState(v * (1 - spikes.detach()), state.refractory)


class DoublesNothing(Plain):
    def step(self, current, state, *, dt=1.0):
        spikes, after = super().step(current, state)
        return spikes.float(), after


DEFECTS = {
    KeepsState: {"steps", "halves", "forgets"},
    KeepsStateInAList: {"forgets"},
    ChangesABuffer: {"forgets"},
    ChangesItsInput: {"arguments"},
    ChangesItsState: {"arguments"},
    MixesTheBatch: {"batch"},
    MixesTheNeurons: {"permutation"},
    ForgetsBetweenCalls: {"halves"},
    FusesWrongly: {"steps"},
    KeepsAPlainTensor: {"meta"},
    CachesAConstant: {"state_dict"},
    RefusesToBeCopied: {"deepcopy"},
    RefusesToBePickled: {"pickle"},
    TrainReturnsNothing: {"returns_self"},
    LosesTheGradient: {"gradient"},
    TakesNoStep: {"zero_steps"},
    IgnoresDetaching: {"detach_every"},
    DropsABlock: {"checkpoint_every"},
    TimeLast: {"output"},
    Explodes: {"output"},
    RemembersAConstantElsewhere: {"state_dict"},
    DoublesNothing: {"dtype"},
}


def current():
    return 2 * torch.rand(8, 3, 5)


def broken(make):
    """The laws that a module breaks."""
    found = set()
    for name, law in LAWS.items():
        try:
            law(Case(make, current().double()))
        except Exception:
            found.add(name)
    return found


def test_what_is_lawful_passes():
    check_module(Plain, current())
    assert broken(Plain) == set()


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda c: c.__name__)
def test_a_planted_defect_is_caught(defect):
    assert DEFECTS[defect] & broken(defect)
    with pytest.raises(AssertionError, match=r"^\w+: .*\.\n"):
        check_module(defect, current())


def test_every_law_has_caught_something():
    assert set().union(*DEFECTS.values()) == set(LAWS)


def test_a_chain_with_weights_is_lawful_but_not_equivariant():
    class Chain(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.neuron = nn.Linear(5, 5), LIF()

        def initial_state(self, x):
            return self.neuron.initial_state(x)

        def step(self, x, state):
            return self.neuron.step(9 * self.inner(x), state)

        def forward(self, xs, state=None):
            if len(xs) == 0:
                raise ValueError("no step")
            return self.neuron(9 * self.inner(xs), state)

    assert broken(Chain) <= {"permutation", "pickle"}
    check_module(Chain, current(), skip=["permutation", "pickle"])
    with pytest.raises(AssertionError, match="permutation: Neurons in another order"):
        check_module(Chain, current(), skip=["pickle"])


@pytest.mark.parametrize("shape", [(8, 5), (3, 3, 5), (8, 1, 5), (8, 3, 1)])
def test_an_input_that_shows_too_little(shape):
    with pytest.raises(ValueError, match="at least 4 steps, 2 samples and 2 neurons"):
        check_module(Plain, torch.rand(shape))


def test_an_input_that_makes_nothing_fire():
    with pytest.raises(AssertionError, match=r"output: .*\n.*this input shows nothing. Give a stronger one."):
        check_module(Plain, 0.01 * torch.rand(8, 2, 4))


def test_a_law_that_there_is_not():
    with pytest.raises(ValueError, match=r"`skip` to name laws among .*, got \['permutations'\]"):
        check_module(Plain, current(), skip=["permutations"])

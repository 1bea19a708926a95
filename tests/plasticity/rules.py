"""The rules that the tests of this folder go through, and a sequence for them."""

import torch

from conex_nn.plasticity import (
    BCM,
    ISTDP,
    MSTDP,
    MSTDPET,
    RSTDP,
    STDP,
    Clopath,
    LearningRate,
    Modulated,
    Oja,
    Product,
    ShiftSTDP,
    Soft,
    TripletSTDP,
    chain,
)

RULES = {
    "STDP": lambda: STDP(a_plus=0.3, a_minus=0.4, tau_plus=4.0, tau_minus=7.0),
    "STDP nearest": lambda: STDP(a_plus=0.3, a_minus=0.4, tau_plus=4.0, nearest=True),
    "STDP anti": lambda: chain(STDP(a_plus=-0.3, a_minus=0.4), Soft(-2, 2, mu=0.5)),
    "STDP soft": lambda: chain(STDP(a_plus=0.3, a_minus=0.4), Soft(-2, 2, mu=1)),
    "STDP product": lambda: chain(STDP(a_plus=0.3), Product(-2, 2), LearningRate(0.5)),
    "triplet": lambda: TripletSTDP(a2_plus=0.1, tau_x=10.0, tau_y=12.0),
    "triplet nearest": lambda: chain(TripletSTDP.hippocampus(nearest=True), Soft(-2, 2)),
    "ISTDP": lambda: ISTDP(rate=0.1, rho=100.0, tau=5.0),
    "ISTDP excitatory": lambda: chain(ISTDP(rate=0.1, rho=100.0, excitatory=True), Soft(-2, 2)),
    "Oja": lambda: Oja(rate=0.1),
    "Oja of spikes": lambda: Oja(rate=0.1, tau=5.0),
    "BCM": lambda: BCM(rate=0.1, target=0.2, tau_theta=5.0, tau=5.0),
    "Clopath": lambda: chain(Clopath(a_plus=1e-3, delay=1.0), Soft(-2, 2)),
    "shift": lambda: ShiftSTDP(rate=0.1),
    "RSTDP": lambda: RSTDP(tau_c=6.0, bound=Soft(-2, 2)),
    "MSTDP": lambda: MSTDP(by="dopamine"),
    "MSTDPET": lambda: MSTDPET(by="dopamine", bound=Product(-2, 2)),
    "two modulators": lambda: chain(STDP(), Modulated("novelty"), Modulated(("dopamine", "novelty"), tau=5.0)),
}


def sequence(source, target, *, steps=12, batch=3):
    """What both sides did, and all else that any rule wants."""
    pre = (torch.rand(steps, batch, *source) < 0.3).double()
    post = (torch.rand(steps, batch, *target) < 0.3).double()
    modulators = {"dopamine": torch.randn(steps, batch).double(), "novelty": torch.rand(steps).double()}
    return pre, post, modulators, torch.empty_like(post).uniform_(-80, 20)

"""Local learning: rules for every wiring, bounds, constraints, neuromodulators, and the hook onto any torch module."""

from conex_nn.plasticity.attach import Attachment, attach, attached
from conex_nn.plasticity.bcm import BCM
from conex_nn.plasticity.bounds import Bound, Product, Soft
from conex_nn.plasticity.chain import Chain, Link, chain
from conex_nn.plasticity.clopath import Clopath, ClopathState
from conex_nn.plasticity.constraints import Clip, Dale, Normalise
from conex_nn.plasticity.dopamine import Dopamine, Payoff, RewardPredictionError, at_step
from conex_nn.plasticity.gradient_change import GradientChange
from conex_nn.plasticity.hebbian import hebbian, weight_of
from conex_nn.plasticity.istdp import ISTDP
from conex_nn.plasticity.learn import apply_change, learn, learn_step
from conex_nn.plasticity.learning_rate import LearningRate
from conex_nn.plasticity.modulated import Modulated
from conex_nn.plasticity.oja import Oja
from conex_nn.plasticity.processes import mean_over_processes
from conex_nn.plasticity.rates import RateState
from conex_nn.plasticity.reward import MSTDP, MSTDPET, RSTDP
from conex_nn.plasticity.rule import Activity, Rule, Term, Terms, combine
from conex_nn.plasticity.shift_stdp import ShiftState, ShiftSTDP
from conex_nn.plasticity.stdp import STDP, STDPState
from conex_nn.plasticity.trace import anticausal, smooth, trace
from conex_nn.plasticity.triplet_stdp import TripletState, TripletSTDP
from conex_nn.plasticity.weight_in_force import weight_in_force
from conex_nn.plasticity.window import measure_window

__all__ = [
    "BCM",
    "ISTDP",
    "MSTDP",
    "MSTDPET",
    "RSTDP",
    "STDP",
    "Activity",
    "Attachment",
    "Bound",
    "Chain",
    "Clip",
    "Clopath",
    "ClopathState",
    "Dale",
    "Dopamine",
    "GradientChange",
    "LearningRate",
    "Link",
    "Modulated",
    "Normalise",
    "Oja",
    "Payoff",
    "Product",
    "RateState",
    "RewardPredictionError",
    "Rule",
    "STDPState",
    "ShiftSTDP",
    "ShiftState",
    "Soft",
    "Term",
    "Terms",
    "TripletSTDP",
    "TripletState",
    "anticausal",
    "apply_change",
    "at_step",
    "attach",
    "attached",
    "chain",
    "combine",
    "hebbian",
    "learn",
    "learn_step",
    "mean_over_processes",
    "measure_window",
    "smooth",
    "trace",
    "weight_in_force",
    "weight_of",
]

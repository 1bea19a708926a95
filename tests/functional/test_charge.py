"""The halves of a step are the step, and what comes between them decides who fires."""

import torch
from torch.testing import assert_close

from conex_nn import surrogate
from conex_nn.functional import (
    adapt,
    charge,
    decay_factor,
    exponential_charge,
    izhikevich_charge,
    izhikevich_fire,
    izhikevich_step,
)

ONE = torch.ones(1, dtype=torch.float64)


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_a_linear_membrane_by_hand():
    got = charge(f64(2.0, -1.0), f64(1.0, 3.0), decay=0.5 * ONE, gain=0.25 * ONE, drive=0.125 * ONE)
    assert got.tolist() == [1.125, 1.375]


def test_an_exponential_membrane_is_a_linear_one_and_its_upstroke():
    linear = {"decay": 0.5 * ONE, "gain": 0.25 * ONE, "drive": 0.125 * ONE}
    current, v = f64(2.0, -1.0), f64(1.0, 3.0)
    got = exponential_charge(current, v, **linear, sharpness=0.1 * ONE, delta_t=2 * ONE, v_rh=ONE)
    assert_close(got, charge(current, v, **linear) + 0.1 * f64(0.0, 1.0).exp())


def test_adaptation_currents_relax_to_their_coupling_and_jump_at_spikes():
    rows = {
        "v_rest": 0 * ONE,
        "tau_w": f64(5.0, 20.0)[:, None],
        "a": f64(0.5, 0.0)[:, None],
        "b": f64(0.0, 2.0)[:, None],
    }
    w = torch.zeros(2, 1, dtype=torch.float64)
    for _ in range(500):
        w = adapt(w, 3 * ONE, 0 * ONE, **rows, dt=0.5)
    assert_close(w.flatten(), f64(1.5, 0.0))
    w = adapt(w, 0 * ONE, ONE, **rows, dt=0.5)
    assert_close(w.flatten(), torch.stack([1.5 * decay_factor(f64(5.0), dt=0.5)[0], f64(2.0)[0]]))


def test_the_halves_of_izhikevichs_step_are_the_step():
    current, v, u = f64(10.0, 900.0), f64(-65.0, 20.0), f64(-13.0, -10.0)
    given = {"dt": 0.5, "spike_fn": surrogate.fast_sigmoid(0.1), "v_peak": 30 * ONE}
    given |= {"a": 0.02 * ONE, "b": 0.2 * ONE, "c": -65 * ONE, "d": 8 * ONE}
    whole = izhikevich_step(current, v, u, **given)
    halves = izhikevich_fire(izhikevich_charge(current, v, u, dt=0.5), v, u, **given)
    assert_close(halves, whole, rtol=0, atol=0)
    assert whole[0].tolist() == [0, 1]
    silenced = izhikevich_fire(f64(0.0, 0.0), v, u, **given)
    assert_close(silenced[2], u + 0.5 * 0.02 * (0.2 * v - u))

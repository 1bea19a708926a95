"""What holds for every encoder."""

import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import Burst, ConstantCurrent, Latency, Phase, Poisson, PoissonIntervals, RankOrder
from conex_nn.encoders.composition import check_encodes_once

TIME = 7
ENCODERS = {
    "poisson": lambda **options: Poisson(TIME, **options),
    "latency": lambda **options: Latency(TIME, **options),
    "charging": lambda **options: Latency(TIME, tau=2.0, threshold=0.2, **options),
    "constant_current": lambda **options: ConstantCurrent(TIME, **options),
    "counts": lambda **options: Poisson(TIME, max_rate=2000.0, counts=True, **options),
    "poisson_intervals": lambda **options: PoissonIntervals(TIME, **options),
    "trimmed": lambda **options: Latency(
        TIME, sparsity=0.5, trim_first=True, trim_last=True, feature_ndim=1, **options
    ),
    "rank_order": lambda **options: RankOrder(TIME, feature_ndim=1, **options),
    "phase": lambda **options: Phase(TIME, period=3, **options),
    "burst": lambda **options: Burst(TIME, max_spikes=3, **options),
}
RANDOM = ("poisson", "counts", "poisson_intervals")
VECTORS = ("trimmed", "rank_order")  # told that a sample is a vector
KINDS = {
    "poisson": Poisson, "poisson_intervals": PoissonIntervals, "latency": Latency, "constant_current": ConstantCurrent,
    "rank_order": lambda time: RankOrder(time, feature_ndim=1), "phase": Phase, "burst": Burst,
}  # fmt: skip
SPIKING = [name for name in ENCODERS if name != "constant_current"]
every = pytest.mark.parametrize("name", ENCODERS)
spiking = pytest.mark.parametrize("name", SPIKING)


@every
@pytest.mark.parametrize("shape", [(), (3,), (4, 1, 5, 6), (0, 3)])
def test_time_comes_first(name, shape):
    if name in VECTORS and shape == ():
        pytest.skip("a number is no vector")
    assert ENCODERS[name]()(torch.rand(shape)).shape == (TIME, *shape)


@every
def test_the_argument_is_unchanged_and_not_shared(name):
    x = torch.rand(4, 5)
    before = x.clone()
    encoded = ENCODERS[name]()(x)
    assert_close(x, before, rtol=0, atol=0)
    assert encoded.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()


@every
def test_a_sample_is_encoded_as_it_is_in_a_batch_of_one(name):
    x = torch.rand(3, 4)
    torch.manual_seed(1)
    alone = ENCODERS[name]()(x)
    torch.manual_seed(1)
    assert_close(ENCODERS[name]()(x[None]), alone[:, None], rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in ENCODERS if name not in RANDOM])
def test_rows_of_a_batch_do_not_see_each_other(name):
    x = torch.rand(6, 5)
    apart = torch.stack([ENCODERS[name]()(row) for row in x], dim=1)
    assert_close(ENCODERS[name]()(x), apart, rtol=0, atol=0)


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_output_has_the_type_of_the_input(name, dtype):
    x = torch.rand(50).to(dtype)
    encoded = ENCODERS[name]()(x)
    assert encoded.dtype == dtype
    if name in SPIKING:
        assert name == "counts" or bool(((encoded == 0) | (encoded == 1)).all())
        assert encoded.sum() > 0


@spiking
@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.bfloat16])
def test_compact_spikes_are_the_same_spikes(name, dtype):
    if name == "counts" and dtype == torch.bool:
        pytest.skip("a count is no boolean")
    x = torch.rand(50)
    torch.manual_seed(1)
    spikes = ENCODERS[name]()(x)
    torch.manual_seed(1)
    compact = ENCODERS[name](dtype=dtype)(x)
    assert compact.dtype == dtype
    assert_close(compact.float(), spikes, rtol=0, atol=0)


@spiking
@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64])
def test_a_type_that_cannot_hold_spikes_is_refused(name, dtype):
    with pytest.raises(TypeError, match=r"Expected `dtype` to be a floating type, torch.uint8 or torch.bool, got"):
        ENCODERS[name](dtype=dtype)


@every
def test_all_zeros_and_all_ones(name):
    zeros, ones = ENCODERS[name]()(torch.zeros(4)), ENCODERS[name]()(torch.ones(4))
    assert_close(zeros, torch.zeros(TIME, 4), rtol=0, atol=0)
    assert bool((ones.sum(0) > 0).all())


@every
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.tensor([0.5, 1.5]), ValueError, "Expected `x` to have values in [0, 1], got values from 0.5 to 1.5."),
        (
            torch.tensor([-0.25, 0.5]),
            ValueError,
            "Expected `x` to have values in [0, 1], got values from -0.25 to 0.5.",
        ),
        (torch.tensor([0.5, torch.nan]), ValueError, "Expected `x` to have values in [0, 1], got NaN."),
        (torch.tensor([0, 255], dtype=torch.uint8), TypeError, "got torch.uint8. Scale images with torchvision"),
        (torch.tensor([0, 1]), TypeError, "ToDtype(torch.float32, scale=True)"),
    ],
)
def test_what_is_no_intensity_is_refused(name, x, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ENCODERS[name]()(x)


@every
def test_what_is_no_tensor_is_refused(name):
    with pytest.raises(TypeError, match=r"Expected `x` to be a tensor, got list|parameter 'x'"):  # the second: the hook
        ENCODERS[name]()([0.5])


@pytest.mark.parametrize("kind", KINDS.values())
def test_time_is_a_positive_integer(kind):
    with pytest.raises(ValueError, match=r"Expected `time` to be at least 1 \[steps\], got 0."):
        kind(0)


@pytest.mark.parametrize("kind", KINDS.values())
@pytest.mark.parametrize("time", [2.0, True])
def test_time_is_an_integer(kind, time):
    with pytest.raises(TypeError, match=r"Expected `time` to be an integer \[steps\], got|parameter 'time'"):
        kind(time)


@pytest.mark.parametrize(
    ("kind", "option", "unit"),
    [
        (Poisson, "max_rate", "Hz"),
        (Poisson, "dt", "ms"),
        (PoissonIntervals, "max_rate", "Hz"),
        (PoissonIntervals, "dt", "ms"),
        (Latency, "dt", "ms"),
        (Latency, "tau", "ms"),
        (ConstantCurrent, "gain", "nA"),
    ],
)
@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_physical_constants_are_positive(kind, option, unit, value):
    with pytest.raises(ValueError, match=f"Expected `{option}` to be positive and finite \\[{unit}\\], got"):
        kind(TIME, **{option: value})


@every
def test_no_values_are_needed_on_the_meta_device(name):
    encoded = ENCODERS[name]()(torch.rand(3, 4, device="meta"))
    assert encoded.shape == (TIME, 3, 4)
    assert encoded.is_meta


@every
def test_it_survives_pickling(name):
    encoder = ENCODERS[name]()
    x = torch.rand(5)
    torch.manual_seed(1)
    encoded = encoder(x)
    torch.manual_seed(1)
    assert_close(pickle.loads(pickle.dumps(encoder))(x), encoded, rtol=0, atol=0)


@pytest.mark.compile
@every
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_compiles_without_a_graph_break(name, backend):
    encoder = ENCODERS[name]()
    x = torch.rand(4, 5).round()  # probabilities 0 and 1, so that the spikes do not depend on the draw
    if name == "counts":
        x = torch.zeros(4, 5)  # of all the only one without chance
    assert_close(torch.compile(encoder, fullgraph=True, backend=backend)(x), encoder(x))


@every
def test_the_repr_tells_the_arguments(name):
    assert f"time={TIME}" in repr(ENCODERS[name]())


SEEDED = [name for name in RANDOM if name in ENCODERS]


@pytest.mark.parametrize("name", SEEDED)
def test_a_generator_decides(name):
    x = torch.rand(3, 40)
    first, again, other = (ENCODERS[name](generator=torch.Generator().manual_seed(s))(x) for s in (5, 5, 6))
    assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)


@spiking
def test_more_or_fewer_steps_are_not_decoded(name):
    with pytest.raises(ValueError, match=r"Expected `spikes` to have the shape \(time, \*features\) with 7 steps"):
        ENCODERS[name]().decode(torch.zeros(TIME + 1, 3))


@spiking
@pytest.mark.parametrize("shape", [(3,), (4, 1, 5, 6), (0, 3)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.bfloat16, torch.float64])
def test_decoders_drop_the_time(name, shape, dtype):
    decoded = ENCODERS[name]().decode(torch.zeros(TIME, *shape, dtype=dtype))
    assert decoded.shape == shape
    assert decoded.dtype in (torch.float32, torch.float64)
    assert not decoded.any()


@spiking
def test_decoding_leaves_spikes_alone(name):
    spikes = ENCODERS[name]()(torch.rand(5))
    before = spikes.clone()
    ENCODERS[name]().decode(spikes)
    assert_close(spikes, before, rtol=0, atol=0)


@spiking
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8])
def test_spikes_are_not_encoded_again(name, dtype):
    if name == "counts" and dtype == torch.bool:
        pytest.skip("a count is no boolean")
    spikes = ENCODERS[name](dtype=dtype)(torch.rand(4, 5))
    with pytest.raises(TypeError, match="Spikes are not encoded again"):
        ENCODERS[name]()(spikes)


def test_a_chain_that_encodes_twice_is_found():
    from torchvision.transforms import v2

    check_encodes_once(None)
    check_encodes_once(v2.Compose([v2.ToDtype(torch.float32, scale=True), torch.nn.Sequential(Latency(5))]))
    with pytest.raises(ValueError, match="Expected `encoder` to encode once, got Latency and then Burst: spikes"):
        check_encodes_once(v2.Compose([Latency(5), torch.nn.Sequential(torch.nn.Identity(), Burst(5))]))


@pytest.mark.parametrize("kind", [Latency, RankOrder])
@pytest.mark.parametrize(("ndim", "error"), [(0, ValueError), (1.0, TypeError)])
def test_a_sample_has_a_number_of_dimensions(kind, ndim, error):
    with pytest.raises(error, match=r"Expected `feature_ndim` to be|parameter 'feature_ndim'"):
        kind(TIME, feature_ndim=ndim)


@pytest.mark.parametrize(
    "kind", [lambda: Latency(5, sparsity=0.5, feature_ndim=3), lambda: RankOrder(5, feature_ndim=3)]
)
def test_what_is_smaller_than_a_sample_is_refused(kind):
    with pytest.raises(
        ValueError, match=r"Expected `x` to have at least `feature_ndim` = 3 dimensions.*got the shape \(4, 5\)"
    ):
        kind()(torch.rand(4, 5))


def test_the_package_is_light():
    # a bare package in place of conex_nn/__init__.py, which imports what the others need
    code = """
import sys, types
sys.modules["conex_nn"] = types.ModuleType("conex_nn")
sys.modules["conex_nn"].__path__ = [sys.argv[1]]
import conex_nn.encoders
print(*{"lightning", "torchvision", "numba", "matplotlib", "sklearn"} & set(sys.modules))
"""
    package = Path(inspect.getfile(Poisson)).parents[1]
    done = subprocess.run([sys.executable, "-c", code, package], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

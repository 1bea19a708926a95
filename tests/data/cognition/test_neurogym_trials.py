"""Neurogym's tasks, where it is installed."""

import sys

import pytest
import torch

from conex_nn.data import NeurogymTrials

NAME = "PerceptualDecisionMaking-v0"


def test_without_neurogym_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "neurogym", None)
    with pytest.raises(ModuleNotFoundError, match=r"conex-nn\[cognition\]"):
        NeurogymTrials(NAME)


@pytest.fixture
def data(neurogym):
    return NeurogymTrials(NAME, {"dt": 100}, batch_size=5, batches=2)


@pytest.fixture
def neurogym():
    return pytest.importorskip("neurogym")


@pytest.mark.filterwarnings("ignore")
class TestWithNeurogym:
    def test_a_batch(self, data):
        batch = next(iter(data.train_dataloader()))
        assert batch.inputs.shape[::2] == (5, 3)
        assert batch.inputs.shape[:2] == batch.targets.shape == batch.mask.shape
        assert (data.num_inputs, data.num_classes, data.dt) == (3, 3, 100.0)
        assert torch.equal(batch.info["choice"], batch.targets.amax(1))
        assert torch.equal(batch.info["choice"], batch.info["ground_truth"].long() + 1)
        assert torch.equal(batch.decision, batch.targets > 0)
        assert batch.mask.unique().tolist() == [1, 5]

    def test_batches_depend_on_their_number_alone(self, data):
        one = [batch.inputs for batch in data.train_dataloader()]
        torch.rand(3)
        two = [batch.inputs for batch in data.train_dataloader()]
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
        assert one[0].shape != one[1].shape or not torch.equal(one[0], one[1])

    def test_shorter_trials_end_before(self, neurogym):
        timing = {"delay": ["choice", [100, 500]]}
        trials = NeurogymTrials(NAME, {"dt": 100, "timing": timing}).trials(
            20, generator=torch.Generator().manual_seed(0)
        )
        lengths = trials.mask.gt(0).sum(0)
        assert lengths.unique().diff().tolist() == [4]
        short = int(lengths.argmin())
        assert not trials.inputs[int(lengths[short]) :, short].any()

    def test_other_actions(self, neurogym):
        with pytest.raises(TypeError, match="one choice among some"):
            NeurogymTrials("ReachingDelayResponse-v0")

    @pytest.mark.parametrize("option", [{"batch_size": 0}, {"decision_weight": -1.0}])
    def test_numbers_out_of_range(self, neurogym, option):
        with pytest.raises(ValueError, match=f"Expected `{next(iter(option))}` to be"):
            NeurogymTrials(NAME, **option)

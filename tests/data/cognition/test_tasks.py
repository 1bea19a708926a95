"""Trials against hand-built ones: periods, inputs, targets, masks; balance; noise; what every task keeps to."""

import pytest
import torch

from conex_nn.data import ContextDecision, DelayedMatch, IntervalComparison, MultiTask, PerceptualDecision
from conex_nn.data.cognition import Schedule, Timeline, balanced

SHORT = {"fixation": 20.0, "decision": 60.0, "dt": 20.0, "grace": 20.0, "noise": 0.0}
QUIET = {
    "dots": PerceptualDecision(stimulus=40.0, coherences=(0.25,), scale=2.0, **SHORT),
    "context": ContextDecision(stimulus=40.0, coherences=(0.1, 0.25), scale=2.0, **SHORT),
    "match": DelayedMatch(stimuli=3, sample=40.0, delay=(0.0, 40.0), test=20.0, **SHORT),
    "compare": IntervalComparison(
        pairs=[(10.0, 18.0), (14.0, 22.0)], first=20.0, delay=(0.0, 40.0), second=20.0, **SHORT
    ),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def only(trials, **info):
    """The place of the first trial that is about something."""
    found = torch.stack([trials.info[name] == torch.tensor(value) for name, value in info.items()]).all(0)
    return int(found.nonzero()[0])


def test_dots_by_hand():
    trials = QUIET["dots"].trials(8, generator=generator())
    # steps: fixation, stimulus, stimulus, decision, decision, decision; the first of the decision is its grace
    right = only(trials, coherence=0.25)
    expected = torch.tensor([[1, 0, 0], [1, 0.25, 0.75], [1, 0.25, 0.75], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    torch.testing.assert_close(trials.inputs[:, right], expected)
    assert trials.targets[:, right].tolist() == [0, 0, 0, 2, 2, 2]
    assert trials.mask[:, right].tolist() == [1, 1, 1, 0, 5, 5]
    assert trials.decision[:, right].tolist() == [False, False, False, False, True, True]
    left = only(trials, coherence=-0.25)
    assert trials.targets[:, left].tolist() == [0, 0, 0, 1, 1, 1]
    torch.testing.assert_close(trials.inputs[1, left], torch.tensor([1, 0.75, 0.25]))
    assert trials.info["choice"].tolist() == [2 if c > 0 else 1 for c in trials.info["coherence"]]


def test_a_delay_shows_nothing():
    task = PerceptualDecision(stimulus=20.0, delay=40.0, coherences=(0.25,), **SHORT)
    trials = task.trials(2, generator=generator())
    assert trials.inputs[:, 0, 0].tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert trials.inputs[:, 0, 1:].any(1).tolist() == [False, True, False, False, False, False, False]


def test_context_by_hand():
    trials = QUIET["context"].trials(400, generator=generator())
    place = only(trials, motion=-0.25, colour=0.1, context=1)
    step = torch.tensor([1, 0.75, 0.25, 0.4, 0.6, 0, 1])
    cue = torch.tensor([1.0, 0, 0, 0, 0, 0, 1])
    expected = torch.stack([cue, step, step, *torch.zeros(3, 7)])
    torch.testing.assert_close(trials.inputs[:, place], expected)
    assert trials.targets[:, place].tolist() == [0, 0, 0, 2, 2, 2]  # by colour
    assert float(trials.info["coherence"][place]) == pytest.approx(0.1)
    assert not trials.info["congruent"][place]
    other = only(trials, motion=-0.25, colour=0.1, context=0)
    assert trials.targets[-1, other] == 1  # by motion
    assert trials.inputs[0, other, -2:].tolist() == [1, 0]


def test_match_by_hand():
    trials = QUIET["match"].trials(300, generator=generator())
    # steps: fixation, sample, sample, (delay, delay), test, decision x 3
    lengths = trials.mask.gt(0).sum(0)
    assert set(lengths.tolist()) == {6, 8}  # without the step of grace
    found = (trials.info["sample"] == 1) & (trials.info["test"] == 2) & (lengths == 6)
    place = int(found.nonzero()[0])
    assert trials.inputs[:, place].argmax(-1).tolist()[:1] == [0]
    assert trials.inputs[1:4, place].tolist() == [[1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 0, 1]]
    assert trials.targets[:, place].tolist() == [0, 0, 0, 0, 2, 2, 2, 0, 0]
    assert trials.mask[:, place].tolist() == [1, 1, 1, 1, 0, 5, 5, 0, 0]
    assert not trials.inputs[7:, place].any()
    late = int(((trials.info["sample"] == trials.info["test"]) & (lengths == 8)).nonzero()[0])
    assert trials.targets[:, late].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert not trials.inputs[3:5, late, 1:].any()
    assert torch.equal(trials.info["choice"] == 1, trials.info["sample"] == trials.info["test"])


def test_comparison_by_hand():
    trials = QUIET["compare"].trials(200, generator=generator())
    place = only(trials, first=22.0, second=14.0)
    # 10 Hz is 0 and 22 Hz is 1
    assert trials.inputs[1, place].tolist() == [1, 1, 0]
    second = trials.inputs[:, place, 1:].any(-1).nonzero().flatten()[-1]
    torch.testing.assert_close(trials.inputs[second, place], torch.tensor([1, 1 / 3, 2 / 3]))
    assert trials.info["choice"][place] == 1
    assert trials.info["difference"][place] == -8
    assert torch.equal(trials.info["choice"] == 2, trials.info["second"] > trials.info["first"])


@pytest.mark.parametrize("name", QUIET)
def test_classes_come_equally_often_and_in_random_order(name):
    trials = QUIET[name].trials(320, generator=generator())  # a multiple of all numbers of conditions but 6
    assert (trials.info["choice"].bincount()[1:] - 160).abs().max() <= 3
    order = trials.info["choice"] == 1
    assert 115 < (order[1:] != order[:-1]).sum() < 205  # neither in blocks nor in turn


def test_contexts_and_sides_come_equally_often_together():
    info = QUIET["context"].trials(320, generator=generator()).info
    cell = 8 * info["context"] + 4 * (info["motion"] > 0) + 2 * (info["colour"] > 0) + (info["motion"].abs() > 0.2)
    assert cell.bincount().tolist() == [20] * 16
    assert info["congruent"].sum() == 160


def test_balanced_leftovers_go_to_any_condition():
    counts = sum(balanced(2, 5, generator=generator(seed))[0].bincount(minlength=5) for seed in range(500))
    assert counts.sum() == 1000
    assert (counts - 200).abs().max() < 60  # 4 standard deviations of a binomial are 51
    assert all(len(set(balanced(5, 5, generator=generator(seed))[0].tolist())) == 5 for seed in range(20))


@pytest.mark.parametrize("dt", [10.0, 20.0, 50.0])
def test_the_noise_is_white_and_does_not_depend_on_the_step(dt):
    task = PerceptualDecision(noise=0.8, dt=dt, fixation=100.0, stimulus=800.0, decision=300.0)
    quiet = PerceptualDecision(noise=0.0, dt=dt, fixation=100.0, stimulus=800.0, decision=300.0)
    noise = task.trials(2000, generator=generator(3)).inputs - quiet.trials(2000, generator=generator(3)).inputs
    assert noise.mean().abs() < 0.002
    assert noise.std() == pytest.approx(0.8 / dt**0.5, rel=0.01)
    over_time = noise.mean(0).std() * (task.steps * dt) ** 0.5  # of the mean over 1200 ms
    assert over_time == pytest.approx(0.8, rel=0.03)
    apart = noise[1:] * noise[:-1]
    assert apart.mean().abs() < 5 * 0.64 / dt / noise.numel() ** 0.5
    assert (noise[..., 0] * noise[..., 1]).mean().abs() < 5 * 0.64 / dt / noise[..., 0].numel() ** 0.5


def test_the_ideal_observer_is_as_good_as_the_docstring_says():
    task = PerceptualDecision(coherences=(0.01, 0.04))
    trials = task.trials(20000, generator=generator(1))
    shown = trials.inputs[5:45]
    said = torch.where((shown[..., 2] - shown[..., 1]).mean(0) > 0, 2, 1)
    right = said == trials.info["choice"]
    weak = trials.info["coherence"].abs() < 0.02
    assert right[weak].float().mean() == pytest.approx(0.739, abs=0.015)
    assert right[~weak].float().mean() == pytest.approx(0.995, abs=0.003)


@pytest.mark.parametrize("name", QUIET)
def test_trials_depend_on_the_generator_alone(name):
    first = QUIET[name].trials(16, generator=generator(7))
    torch.manual_seed(99)
    again, other = (QUIET[name].trials(16, generator=generator(seed)) for seed in (7, 8))
    for one, two in zip(first[:-1], again[:-1], strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.info["choice"], other.info["choice"])


def test_several_durations_are_equally_likely():
    lengths = Schedule({"delay": (20.0, 40.0, 60.0)}, dt=20.0).draw(6000, generator=generator()).during("delay").sum(0)
    assert (lengths.bincount()[1:] - 2000).abs().max() < 150


def test_a_timeline_knows_its_periods():
    timeline = Timeline({"a": torch.tensor([1, 2]), "b": torch.tensor([2, 0])}, steps=4)
    assert timeline.during("a", "b").T.tolist() == [[True, True, True, False], [True, True, False, False]]
    assert timeline.during("b", after=1).T.tolist() == [[False, False, True, False], [False] * 4]


def test_several_tasks_by_hand():
    both = MultiTask({"dots": QUIET["dots"], "match": QUIET["match"]})
    assert both.input_names == ("fixation", "input 1", "input 2", "input 3", "rule dots", "rule match")
    assert both.class_names == ("fixate", "choice 1", "choice 2")
    trials = both.trials(101, generator=generator())
    task = trials.info["task"]
    assert sorted(task.bincount().tolist()) == [50, 51]
    of_dots = task == 0
    assert trials.inputs.shape == (9, 101, 6)
    # dots last 6 of 9 steps: their rule is on for as long, and nothing is asked afterwards
    assert trials.inputs[:, of_dots, 4].mean(1).tolist() == [1] * 6 + [0] * 3
    assert not trials.inputs[..., 5][:, of_dots].any()
    assert not trials.inputs[..., 3][:, of_dots].any()
    assert trials.inputs[..., 5][:, ~of_dots].sum(0).tolist() == trials.mask[:, ~of_dots].gt(0).sum(0).add(1).tolist()
    assert not trials.mask[6:, of_dots].any()
    assert not trials.decision[6:, of_dots].any()
    # each trial still fits what it tells
    evidence = trials.inputs[1, :, 2] - trials.inputs[1, :, 1]
    torch.testing.assert_close(evidence[of_dots], 2.0 * trials.info["coherence"][of_dots])
    assert trials.info["coherence"][~of_dots].isnan().all()
    assert (trials.info["sample"][of_dots] == -1).all()
    sample = trials.inputs[1, ~of_dots, 1:4].argmax(-1)
    assert torch.equal(sample, trials.info["sample"][~of_dots])
    same = trials.info["sample"] == trials.info["test"]
    assert torch.equal((trials.info["choice"] == 1)[~of_dots], same[~of_dots])
    assert torch.equal(trials.targets.amax(0), trials.info["choice"])


def test_few_trials_of_many_tasks():
    assert MultiTask(QUIET).trials(1, generator=generator()).info["task"].shape == (1,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PerceptualDecision(dt=0.0), "`dt` to be positive"),
        (lambda: PerceptualDecision(stimulus=-1.0), "`stimulus` to be 0 or more"),
        (lambda: PerceptualDecision(stimulus=4.0), "`stimulus` to last at least a step"),
        (lambda: PerceptualDecision(stimulus=()), "at least one duration for `stimulus`"),
        (lambda: PerceptualDecision(decision=100.0), "`decision` to be longer than `grace`"),
        (lambda: PerceptualDecision(noise=-1.0), r"`noise` to be 0 or more \[ms\^0.5\]"),
        (lambda: PerceptualDecision(decision_weight=-1.0), "`decision_weight` to be 0 or more"),
        (lambda: PerceptualDecision(coherences=()), "`coherences` from 0 to 1"),
        (lambda: PerceptualDecision(coherences=(12.8,)), "`coherences` from 0 to 1"),
        (lambda: PerceptualDecision(coherences=(0.5,)), "no input may be negative"),
        (lambda: ContextDecision(scale=0.0), "`scale` times the largest"),
        (lambda: DelayedMatch(stimuli=1), "`stimuli` to be at least 2"),
        (lambda: IntervalComparison(pairs=[(10.0, 10.0)]), "two different frequencies"),
        (lambda: IntervalComparison(pairs=[]), "two different frequencies"),
        (lambda: QUIET["dots"].trials(0), "`count` to be at least 1"),
        (lambda: MultiTask(QUIET).trials(0), "`count` to be at least 1"),
        (lambda: MultiTask({"dots": QUIET["dots"]}), "`tasks` to be at least 2"),
        (lambda: MultiTask({"a": QUIET["dots"], "b": DelayedMatch(dt=10.0)}), "`tasks` of one `dt`"),
        (lambda: Schedule({"a": 0.0}, dt=1.0), "a period longer than 0"),
    ],
)
def test_values_that_do_not_fit(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_task():
    with pytest.raises(TypeError, match="'b' of `tasks` to be a CognitiveTask, got str"):
        MultiTask({"a": QUIET["dots"], "b": "match"})


def test_a_task_says_how_large_a_network_it_needs():
    task, mixed = QUIET["context"], MultiTask({"dots": QUIET["dots"], "match": QUIET["match"]})
    for each in (task, mixed):
        trials = each.trials(64)
        assert each.num_inputs == trials.inputs.shape[-1]
        assert each.num_classes == int(trials.targets.max()) + 1

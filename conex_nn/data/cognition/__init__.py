"""Cognitive tasks, whose trials are made as they are asked for."""

from conex_nn.data.cognition.balanced import balanced
from conex_nn.data.cognition.cognitive_task import CognitiveTask, Presented
from conex_nn.data.cognition.cognitive_trials import CognitiveTrials
from conex_nn.data.cognition.context_decision import ContextDecision
from conex_nn.data.cognition.delayed_match import DelayedMatch
from conex_nn.data.cognition.interval_comparison import IntervalComparison
from conex_nn.data.cognition.multi_task import MultiTask
from conex_nn.data.cognition.neurogym_trials import NeurogymTrials
from conex_nn.data.cognition.perceptual_decision import PerceptualDecision
from conex_nn.data.cognition.timeline import Duration, Schedule, Timeline
from conex_nn.data.cognition.trial_data_module import TrialDataModule
from conex_nn.data.cognition.trials import Trials

__all__ = [
    "CognitiveTask",
    "CognitiveTrials",
    "ContextDecision",
    "DelayedMatch",
    "Duration",
    "IntervalComparison",
    "MultiTask",
    "NeurogymTrials",
    "PerceptualDecision",
    "Presented",
    "Schedule",
    "Timeline",
    "TrialDataModule",
    "Trials",
    "balanced",
]

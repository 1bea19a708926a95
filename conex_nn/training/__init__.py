"""Train, test and report on spiking networks with Lightning and torchmetrics."""

from conex_nn.training.activity import Activity
from conex_nn.training.activity_images import ActivityImages
from conex_nn.training.classifier import SpikingClassifier
from conex_nn.training.convergence import Convergence
from conex_nn.training.criterion import Criterion
from conex_nn.training.decision_accuracy import DecisionAccuracy, choices, right_choices
from conex_nn.training.decision_latency import DecisionLatency
from conex_nn.training.decode import (
    first_spike,
    last_membrane,
    max_membrane,
    mean_membrane,
    running_scores,
    spike_count,
)
from conex_nn.training.evaluation import Evaluation
from conex_nn.training.firing_rate import FiringRate
from conex_nn.training.heads import Head
from conex_nn.training.label_assignment import LabelAssignment
from conex_nn.training.learning_schedule import LearningSchedule
from conex_nn.training.losses import OnSequence
from conex_nn.training.pictures import Pictures
from conex_nn.training.psychometric_curve import Psychometric, PsychometricCurve
from conex_nn.training.quiet import quiet
from conex_nn.training.regularisers import RateLimit, RateTarget
from conex_nn.training.report import Report
from conex_nn.training.sequence_report import SequenceReport
from conex_nn.training.sequence_task import SequenceTask
from conex_nn.training.sparsity import Sparsity
from conex_nn.training.synaptic_operations import SynapticOperations, synaptic_operations
from conex_nn.training.weight_images import WeightImages

__all__ = [
    "Activity",
    "ActivityImages",
    "Convergence",
    "Criterion",
    "DecisionAccuracy",
    "DecisionLatency",
    "Evaluation",
    "FiringRate",
    "Head",
    "LabelAssignment",
    "LearningSchedule",
    "OnSequence",
    "Pictures",
    "Psychometric",
    "PsychometricCurve",
    "RateLimit",
    "RateTarget",
    "Report",
    "SequenceReport",
    "SequenceTask",
    "Sparsity",
    "SpikingClassifier",
    "SynapticOperations",
    "WeightImages",
    "choices",
    "first_spike",
    "last_membrane",
    "max_membrane",
    "mean_membrane",
    "quiet",
    "right_choices",
    "running_scores",
    "spike_count",
    "synaptic_operations",
]

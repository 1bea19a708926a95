"""LightningDataModules: labelled images, encoded into spikes on the device or by the workers, and cognitive tasks."""

from conex_nn.data.cognition import (
    CognitiveTask,
    CognitiveTrials,
    ContextDecision,
    DelayedMatch,
    IntervalComparison,
    MultiTask,
    NeurogymTrials,
    PerceptualDecision,
    Trials,
)
from conex_nn.data.digits import Digits
from conex_nn.data.fashion_mnist import FashionMNIST
from conex_nn.data.image_data_module import ImageDataModule, Splits
from conex_nn.data.labelled_images import LabelledImages
from conex_nn.data.mnist import MNIST
from conex_nn.data.registry import by_name
from conex_nn.data.splitting import stratified_order
from conex_nn.data.tensor_data_module import TensorDataModule

__all__ = [
    "MNIST",
    "CognitiveTask",
    "CognitiveTrials",
    "ContextDecision",
    "DelayedMatch",
    "Digits",
    "FashionMNIST",
    "ImageDataModule",
    "IntervalComparison",
    "LabelledImages",
    "MultiTask",
    "NeurogymTrials",
    "PerceptualDecision",
    "Splits",
    "TensorDataModule",
    "Trials",
    "by_name",
    "stratified_order",
]

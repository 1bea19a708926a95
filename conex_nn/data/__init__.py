"""LightningDataModules: images, sequences and recordings of event cameras, in memory."""

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
from conex_nn.data.encoded import Encoded
from conex_nn.data.event_data_module import EventDataModule
from conex_nn.data.event_files import read_events, read_recording, write_events
from conex_nn.data.fashion_mnist import FashionMNIST
from conex_nn.data.image_data_module import ImageDataModule
from conex_nn.data.in_memory_data_module import InMemoryDataModule, Splits
from conex_nn.data.labelled_events import LabelledEvents, collect_events
from conex_nn.data.labelled_images import LabelledImages
from conex_nn.data.labelled_series import LabelledSeries, pad_batch
from conex_nn.data.location_dataset import LocationDataset
from conex_nn.data.mnist import MNIST
from conex_nn.data.nmnist import NMNIST
from conex_nn.data.recordings_data_module import RecordingsDataModule
from conex_nn.data.registry import by_name
from conex_nn.data.series_data_module import SeriesDataModule
from conex_nn.data.splitting import stratified_order
from conex_nn.data.stimuli import Stimuli
from conex_nn.data.stream import SILENT, Stream
from conex_nn.data.tensor_data_module import TensorDataModule
from conex_nn.data.what_where import WhatWhere

__all__ = [
    "MNIST",
    "NMNIST",
    "SILENT",
    "CognitiveTask",
    "CognitiveTrials",
    "ContextDecision",
    "DelayedMatch",
    "Digits",
    "Encoded",
    "EventDataModule",
    "FashionMNIST",
    "ImageDataModule",
    "InMemoryDataModule",
    "IntervalComparison",
    "LabelledEvents",
    "LabelledImages",
    "LabelledSeries",
    "LocationDataset",
    "MultiTask",
    "NeurogymTrials",
    "PerceptualDecision",
    "RecordingsDataModule",
    "SeriesDataModule",
    "Splits",
    "Stimuli",
    "Stream",
    "TensorDataModule",
    "Trials",
    "WhatWhere",
    "by_name",
    "collect_events",
    "pad_batch",
    "read_events",
    "read_recording",
    "stratified_order",
    "write_events",
]

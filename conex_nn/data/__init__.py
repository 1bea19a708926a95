"""Labelled images in memory as LightningDataModules, encoded into spikes on the device or by the workers."""

from conex_nn.data.digits import Digits
from conex_nn.data.fashion_mnist import FashionMNIST
from conex_nn.data.image_data_module import ImageDataModule, Splits
from conex_nn.data.labelled_images import LabelledImages
from conex_nn.data.location_dataset import LocationDataset
from conex_nn.data.mnist import MNIST
from conex_nn.data.registry import by_name
from conex_nn.data.splitting import stratified_order
from conex_nn.data.stimuli import Stimuli
from conex_nn.data.stream import SILENT, Stream
from conex_nn.data.tensor_data_module import TensorDataModule
from conex_nn.data.what_where import WhatWhere

__all__ = [
    "MNIST",
    "SILENT",
    "Digits",
    "FashionMNIST",
    "ImageDataModule",
    "LabelledImages",
    "LocationDataset",
    "Splits",
    "Stimuli",
    "Stream",
    "TensorDataModule",
    "WhatWhere",
    "by_name",
    "stratified_order",
]

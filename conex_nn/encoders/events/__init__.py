"""Events of a camera: transforms of recordings, alone or in batches, and frames and volumes made of them."""

from conex_nn.encoders.events.denoise import denoise
from conex_nn.encoders.events.downsample import downsample
from conex_nn.encoders.events.events import Events, check_events, crop_time, from_structured, sort_events
from conex_nn.encoders.events.frames_by_count import FramesByCount
from conex_nn.encoders.events.frames_by_time import FramesByTime
from conex_nn.encoders.events.polarity import flip_polarity, merge_polarity, split_polarity
from conex_nn.encoders.events.random_changes import drop_events, jitter_time, shift_pixels
from conex_nn.encoders.events.voxels import Voxels

__all__ = [
    "Events",
    "FramesByCount",
    "FramesByTime",
    "Voxels",
    "check_events",
    "crop_time",
    "denoise",
    "downsample",
    "drop_events",
    "flip_polarity",
    "from_structured",
    "jitter_time",
    "merge_polarity",
    "shift_pixels",
    "sort_events",
    "split_polarity",
]

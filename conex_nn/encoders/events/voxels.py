"""Event volumes: signed polarity, shared between the two nearest planes of time."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_time
from conex_nn.encoders.events.accumulate import check_sensor_size
from conex_nn.encoders.events.events import Events, check_events, recording_of, since_first

__all__ = ["Voxels"]


class Voxels(nn.Module):
    r"""Add up polarities on planes of time, each event on the two that it lies between.

    With B planes, recordings that last from :math:`t_1` to :math:`t_N`, and polarities :math:`p_i = \pm 1`,

    .. math::
        t_i^* = (B - 1) \frac{t_i - t_1}{t_N - t_1}, \qquad
        V(k, y, x) = \sum_{i: x_i = x, y_i = y} p_i \max(0, 1 - |k - t_i^*|).

    Args:
        sensor_size: Height and width of the sensor [1].
        time: Number of planes [1].

    Raises:
        ValueError: An argument out of range; at the call: events out of the sensor or out of the order of time.
        TypeError: A time that is no integer.

    Example:
        >>> t = torch.tensor([0, 25, 100])
        >>> events = Events(x=t * 0, y=t * 0, p=torch.tensor([1, 1, 0]), t=t)
        >>> Voxels((1, 1), time=3)(events).flatten()
        tensor([ 1.5000,  0.5000, -1.0000])

    References:
        Zhu et al., Unsupervised event-based learning of optical flow, depth, and egomotion, CVPR (2019), equations 1
        and 2.
    """

    def __init__(self, sensor_size: Sequence[int], *, time: int) -> None:
        super().__init__()
        check_time(time)
        self.sensor_size = check_sensor_size(sensor_size)
        self.time = time

    @override
    def forward(self, events: Events) -> Float[Tensor, " {self.time} *batch 1 height width"]:
        check_events(events, sensor_size=self.sensor_size)
        height, width = self.sensor_size
        batch = len(events.bounds) - 1
        recording, since = recording_of(events), since_first(events)
        lasts = since.new_zeros(batch).scatter_reduce_(0, recording, since, "amax")
        place = (self.time - 1) * since.double() / lasts[recording].clamp(min=1)
        early = place.floor().long().clamp(max=self.time - 1)
        share = (place - early).float()  # of the later plane
        sign = 2.0 * events.p.float() - 1.0
        cell = ((early * batch + recording) * height + events.y.long()) * width + events.x.long()
        plane = batch * height * width
        volume = torch.zeros((self.time + 1) * plane, device=cell.device)  # one more for a share of 0 after the last
        volume.index_add_(0, cell, sign * (1 - share)).index_add_(0, cell + plane, sign * share)
        lead = (self.time,) if events.offsets is None else (self.time, batch)
        return volume[: self.time * plane].view(*lead, 1, height, width).to(torch.get_default_dtype())

    @override
    def extra_repr(self) -> str:
        return f"{self.sensor_size}, time={self.time}"

"""Which of several streams is on."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import IterableDataset
from typing_extensions import override


class Stimuli(IterableDataset[Any]):
    """Streams by tag, of which one is on: what a network sees in training and what in a test, say.

    A switch takes effect when the streams are iterated over the next time, also in workers that are there already.

    Args:
        streams: By tag.
        on: Tag of the one that is on at first.

    Raises:
        ValueError: If there is no stream, or none of that tag.

    Example:
        >>> from conex_nn.data import LabelledImages, Stream
        >>> def shown(label):
        ...     return Stream(LabelledImages(torch.rand(2, 4), torch.full((2,), label)), instance_duration=2)
        >>> stimuli = Stimuli({"train": shown(0), "test": shown(1)}, on="train")
        >>> loader = torch.utils.data.DataLoader(stimuli, batch_size=None)
        >>> torch.cat([labels for _, labels in loader])
        tensor([0, 0, 0, 0])
        >>> stimuli.switch("test")
        >>> torch.cat([labels for _, labels in loader])
        tensor([1, 1, 1, 1])
    """

    def __init__(self, streams: Mapping[str, IterableDataset[Any]], *, on: str) -> None:
        if not streams:
            raise ValueError("Expected `streams` to be at least one, by tag, got none.")
        self.streams = dict(streams)
        self._on = torch.zeros((), dtype=torch.int64).share_memory_()
        self.switch(on)

    @property
    def on(self) -> str:
        """Tag of the stream that is on."""
        return list(self.streams)[int(self._on)]

    def switch(self, tag: str) -> None:
        """Switch one stream on, and the others off.

        Args:
            tag: Its tag.

        Raises:
            ValueError: There is none of that tag.
        """
        if tag not in self.streams:
            raise ValueError(f"Expected one of the tags {', '.join(map(repr, self.streams))}, got {tag!r}.")
        self._on.fill_(list(self.streams).index(tag))

    def __len__(self) -> int:
        return len(self.streams[self.on])  # pyright: ignore[reportArgumentType]

    @override
    def __iter__(self) -> Iterator[Any]:
        yield from self.streams[self.on]

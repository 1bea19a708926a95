"""A group of connections made together."""

from collections.abc import Iterator

from torch import nn

from conex_nn.structure.connection import Connection

__all__ = ["Synapsis"]


class Synapsis(nn.Module):
    """The connections that one call of ``connect`` made, each by its name.

    ``synapsis.enabled = False`` switches all of them off, as ``switch`` does by address.

    Args:
        connections: By name.

    Example:
        >>> from conex_nn.synapses import Dense
        >>> synapsis = Synapsis({"a_to_b": Connection(Dense(2, 3), "a", "b")})
        >>> len(synapsis), synapsis.only.synapse.weight.shape
        (1, torch.Size([3, 2]))
    """

    def __init__(self, connections: dict[str, Connection]) -> None:
        super().__init__()
        for name, connection in connections.items():
            self.add_module(name, connection)

    @property
    def enabled(self) -> bool:
        """Whether any of the connections is on; setting it switches all of them."""
        return any(connection.enabled for connection in self)

    @enabled.setter
    def enabled(self, on: bool) -> None:
        for connection in self:
            connection.enabled = on

    def __iter__(self) -> Iterator[Connection]:
        yield from self.children()  # pyright: ignore[reportReturnType]

    def __len__(self) -> int:
        return len(self._modules)

    def __getitem__(self, place: int | str) -> Connection:
        return list(self)[place] if isinstance(place, int) else self._modules[place]  # pyright: ignore[reportReturnType]

    @property
    def only(self) -> Connection:
        """The connection, where there is one alone."""
        if len(self) != 1:
            raise ValueError(f"Expected one connection, got {len(self)}: {', '.join(self._modules)}. Name one of them.")
        return self[0]

"""The state of torch's generators, in a checkpoint and out of it: what a run needs to go on exactly."""

from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

__all__ = ["random_states", "restore_random_states"]


def random_states(device: torch.device) -> list[dict[str, Any]]:
    """Return the state of torch's generators in every process; to be called in all of them.

    Args:
        device: Where this process computes.

    Returns:
        For each process, the state of the CPU's generator, and of the GPU's where there is one.

    Example:
        >>> states = random_states(torch.device("cpu"))
        >>> drawn = torch.rand(1)
        >>> restore_random_states(states, torch.device("cpu"))
        >>> torch.equal(torch.rand(1), drawn)
        True
    """
    own = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        own["cuda"] = torch.cuda.get_rng_state(device)
    if not _is_distributed():
        return [own]
    states: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(states, own)
    return states


def restore_random_states(states: list[dict[str, Any]], device: torch.device) -> None:
    """Set torch's generators to what they were in this process.

    With another number of processes than at saving there is no such state: they are left alone, and a warning says so.

    Args:
        states: What :func:`random_states` returned.
        device: Where this process computes.

    Example:
        >>> restore_random_states(random_states(torch.device("cpu")), torch.device("cpu"))
    """
    processes, rank = (dist.get_world_size(), dist.get_rank()) if _is_distributed() else (1, 0)
    if len(states) != processes:
        rank_zero_warn(
            f"The checkpoint holds the random state of {len(states)} processes, and there are {processes}: "
            "training goes on, but not exactly as it would have."
        )
        return
    torch.set_rng_state(states[rank]["cpu"].cpu())
    if device.type == "cuda" and "cuda" in states[rank]:
        torch.cuda.set_rng_state(states[rank]["cuda"].cpu(), device)


def _is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()

"""Learn in two processes, each with its part of the batch; each writes what it ended with. Run by test_processes.py."""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import conex_nn as cx
from conex_nn.plasticity import BCM, RSTDP, STDP, Clip, Normalise, RewardPredictionError, attach, chain

PARTS = {"STDP": (3, 5), "RSTDP": (3, 5), "BCM": (3, 5), "hybrid": (4, 4)}
"""Samples of each process; those of DistributedDataParallel have to be equally many."""


def run(kind: str, begin: int, end: int) -> dict[str, torch.Tensor]:
    """Learn three sequences of some samples; return what was learned."""
    torch.manual_seed(0)
    net = cx.Sequential(nn.Linear(6, 5), cx.LIF(), nn.Linear(5, 4), cx.LIF()).double()
    nn.init.uniform_(net[0].weight, 0, 1)
    xs, reward = (torch.rand(3, 20, 8, 6) < 0.5).double(), torch.rand(3, 20, 8).double()
    rules = {
        "STDP": chain(STDP(), Normalise(3.0), Clip(0, 1)),
        "RSTDP": RSTDP(),
        "hybrid": STDP(),
        "BCM": BCM(rate=0.1, tau=5.0),
    }
    surprise = RewardPredictionError(rate=0.5).double()
    handle = attach(rules[kind], synapse=net[0], neuron=net[1], into="grad" if kind == "hybrid" else "weight")
    model = DistributedDataParallel(net) if kind == "hybrid" and dist.is_initialized() else net
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for x, d in zip(xs, reward, strict=True):
        out, _ = model(x[:, begin:end])
        if kind == "RSTDP":
            handle.learn(dopamine=surprise(d[:, begin:end]))
        if kind == "hybrid":
            optimizer.zero_grad()
            out.square().mean().backward()
            optimizer.step()
    handle.remove()
    return {**net.state_dict(), **surprise.state_dict(), **rules[kind].state_dict()}


def main(folder: Path, rank: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    result = {}
    for kind, (first, _) in PARTS.items():
        result[kind] = run(kind, *((0, first) if rank == 0 else (first, 8)))
    torch.save(result, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

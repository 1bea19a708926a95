"""Keeping freed memory, and how much is free."""

import subprocess
import sys

import pytest
import torch

import conex_nn as cx
from conex_nn import memory

FAULTS = """
import resource, torch, conex_nn as cx
def step():
    x = torch.ones(12, 1 << 20)  # 48 MiB, above what glibc keeps by itself
    del x
def faults():
    for _ in range(20):  # the heap takes a few tensors to settle
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
default = faults()
cx.keep_memory()
print(default, faults())
"""


@pytest.mark.long
@pytest.mark.skipif(not cx.keep_memory(), reason="the C library is not glibc")
def test_kept_memory_is_not_faulted_in_again():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    default, kept = map(int, done.stdout.split())
    assert kept < default / 3


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    assert not cx.keep_memory()


def test_what_is_free_is_what_the_system_says(tmp_path, monkeypatch):
    status = tmp_path / "meminfo"
    monkeypatch.setattr(memory, "_STATUS", status)
    status.write_text("MemTotal:       100 kB\nMemFree:        5 kB\nMemAvailable:   40 kB\n")
    assert memory.free_memory() == 40 * 1024
    memory.require_free(40 * 1024, "a list", remedy="Sort it.")
    with pytest.raises(MemoryError, match=r"Expected 9.54e-05 GiB of free memory for a list, got .* GiB. Sort it."):
        memory.require_free(100 * 1024, "a list", remedy="Sort it.")
    for content in ("", "MemAvailable: none kB"):  # another system
        status.write_text(content)
        monkeypatch.setattr("os.sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_AVPHYS_PAGES": 10}[name])
        assert memory.free_memory() == 40960
    monkeypatch.delattr("os.sysconf")
    assert memory.free_memory() is None
    memory.require_free(10**30, "a list", remedy="Sort it.")


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({"number": 1_000_000}, 6_000_000),
        ({"number": 1_000_000, "weight": 0.5, "delay": 2}, 2_000_000),
        ({"density": 0.01, "dtype": torch.bfloat16}, 400_000),
        ({"probability": 0.01, "weight": cx.Normal(1.0, 0.1), "delay": cx.Uniform(1, 9)}, 800_000),
        ({"in_degree": 100}, 8 * 100 * 3000),
    ],
)
def test_edges_that_do_not_fit_are_refused_before_they_are_drawn(options, needed, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: needed)
    cx.Sparse(3333 if "in_degree" not in options else 3000, 3000, **options)
    monkeypatch.setattr(memory, "free_memory", lambda: int(0.99 * needed))
    with pytest.raises(MemoryError, match=r"edges between .*neurons.*bfloat16"):
        cx.Sparse(3333 if "in_degree" not in options else 3000, 3000, **options)

"""Keeping freed memory."""

import subprocess
import sys

import pytest

import conex_nn as cx

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


@pytest.mark.skipif(not cx.keep_memory(), reason="the C library is not glibc")
def test_kept_memory_is_not_faulted_in_again():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    default, kept = map(int, done.stdout.split())
    assert kept < default / 3


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    assert not cx.keep_memory()

"""Keeping freed memory."""

import subprocess
import sys

import pytest

import conex_nn as cx

FAULTS = """
import resource, sys, torch, conex_nn as cx
if sys.argv[1] == "keep":
    cx.keep_memory()
def step():
    x = torch.ones(12, 1 << 20)  # 48 MiB, above what glibc keeps by itself
    del x
for _ in range(20):  # the heap takes a few tensors to settle
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how):
    return int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not cx.keep_memory(), reason="the C library is not glibc")
def test_kept_memory_is_not_faulted_in_again():
    assert _faults("keep") < _faults("default") / 3


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    assert not cx.keep_memory()

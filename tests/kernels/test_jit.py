"""The cache of compiled kernels: filled once, read without numba, and harmless when it is broken or cannot be."""

import subprocess
import sys

import pytest
import torch

from conex_nn.kernels.jit import _load, _store, cache_dir, kernel

# A process that has no kernel yet divides in two for each line that it reads, the name of a cache folder: to import
# torch takes longer than all that the new process does.
PROGRAM = """
import os, sys, torch
from conex_nn.kernels import li_rows, li_sequence

def run():
    one = torch.ones(1)
    rows = li_rows(torch.Size([1]), decay=0.5 * one, gain=one, drive=0 * one)
    v = li_sequence(torch.ones(2, 1), torch.zeros(1), rows)
    print(v.flatten().tolist(), "numba" in sys.modules, flush=True)

for line in sys.stdin:
    process = os.fork()
    if not process:
        os.environ["CONEX_NN_CACHE"] = line.rstrip()
        for stream in (1, 2):
            os.dup2(os.open(f"{sys.argv[1]}/{stream}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        run()
        sys.exit()
    print(os.waitpid(process, 0)[1], flush=True)
"""


@pytest.fixture(scope="module")
def fresh_process(tmp_path_factory):
    """What a new process prints and warns of, with its kernels in a folder."""
    said = tmp_path_factory.mktemp("said")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}

    def run(cache):
        parent.stdin.write(f"{cache}\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "0\n", (said / "2").read_text()
        return (said / "1").read_text(), (said / "2").read_text()

    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(said)], **pipes) as parent:
        yield run
        parent.stdin.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory, fresh_process):
    """A cache folder filled by another process."""
    folder = tmp_path_factory.mktemp("cache") / "deep" / "er"
    assert fresh_process(folder) == ("[1.0, 1.5] True\n", "")
    return folder


def test_a_second_process_loads_the_kernel_without_numba(filled, fresh_process):
    (path,) = filled.iterdir()
    written = path.stat().st_mtime_ns
    assert fresh_process(filled) == ("[1.0, 1.5] False\n", "")
    assert path.stat().st_mtime_ns == written


@pytest.mark.long
def test_a_folder_that_cannot_be_written_is_said_and_does_no_harm(tmp_path, fresh_process):
    (tmp_path / "file").write_text("")
    printed, warned = fresh_process(tmp_path / "file" / "folder")
    assert printed == "[1.0, 1.5] True\n"
    assert "Compiled kernels cannot be kept in" in warned
    assert "Set CONEX_NN_CACHE" in warned


@pytest.mark.long
def test_a_damaged_file_is_compiled_anew(filled, fresh_process):
    (path,) = filled.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:64] + bytes(b ^ 255 for b in whole[64:256]) + whole[256:])  # unchecked it ends the process
    assert fresh_process(filled) == ("[1.0, 1.5] True\n", "")
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:20], lambda b: b[: len(b) // 2], lambda b: b + b"x"])
def test_only_a_whole_file_is_read(tmp_path, damage):
    path = tmp_path / "folder" / "kernel.o"
    assert _load(path) is None
    _store(path, b"code" * 100)
    assert _load(path) == b"code" * 100
    path.write_bytes(damage(path.read_bytes()))
    assert _load(path) is None
    assert list(path.parent.iterdir()) == [path]


def test_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CONEX_NN_CACHE", str(tmp_path / "here"))
    assert cache_dir() == tmp_path / "here"
    monkeypatch.delenv("CONEX_NN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "conex_nn"


def test_a_kernel_is_linked_once():
    assert kernel("li.forward", (True,), torch.float64) == kernel("li.forward", (True,), torch.float64)
    assert kernel("li.forward", (True,), torch.float64) != kernel("li.forward", (True,), torch.float32)

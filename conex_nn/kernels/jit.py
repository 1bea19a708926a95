"""Compile the numba kernels once per machine and load them without numba afterwards.

A kernel is a Python function in ``conex_nn.kernels.cpu`` that numba turns into machine code. The object code is
kept in the user's cache folder (``CONEX_NN_CACHE``, else ``$XDG_CACHE_HOME/conex_nn``, else ``~/.cache/conex_nn``)
under a name that holds the sources, numba, LLVM and the processor. Loading it takes llvmlite's linker alone: tens of
milliseconds, where importing numba takes most of a second and compiling two more.
"""

import contextlib
import functools
import hashlib
import importlib
import importlib.metadata
import os
import threading
import warnings
from pathlib import Path

import torch

__all__ = ["cache_dir", "kernel"]

_DTYPES = {torch.float32: "float32", torch.float64: "float64"}
_SOURCES = Path(__file__).parent / "cpu"
_LOCK = threading.RLock()


def cache_dir() -> Path:
    """Return the folder that keeps compiled kernels.

    Example:
        >>> folder = cache_dir()
    """
    if "CONEX_NN_CACHE" in os.environ:
        return Path(os.environ["CONEX_NN_CACHE"])
    parent = os.environ.get("XDG_CACHE_HOME")
    return Path(parent if parent else os.path.expanduser("~/.cache")) / "conex_nn"


@functools.cache
def _machine():
    """Return llvmlite's binding, the target machine and its name."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=cpu, features=features, opt=3, reloc="pic", jit=True)
    return llvm, machine, f"{target.triple} {cpu} {features}"


@functools.cache
def _fingerprint() -> str:
    """Hash everything that the object code depends on."""
    digest = hashlib.sha256(_machine()[2].encode())
    for package in ("numba", "llvmlite"):
        digest.update(importlib.metadata.version(package).encode())
    for source in (Path(__file__), *sorted(_SOURCES.glob("*.py"))):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _compile(name: str, variant: tuple[int, ...], dtype: str, symbol: str) -> bytes:
    """Compile one variant of ``conex_nn.kernels.cpu.<module>:<function>`` to object code that exports ``symbol``."""
    import numba
    from numba import types

    from conex_nn.kernels.cpu.compiler import Kernel

    module, function = name.split(".")
    make = getattr(importlib.import_module(f"conex_nn.kernels.cpu.{module}"), function)
    options = {"pipeline_class": Kernel, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    signature = (types.CPointer(types.int64),)
    compiled = numba.njit(types.void(*signature), **options)(make(getattr(types, dtype), *variant))
    result = compiled.overloads[signature]
    native = result.fndesc.llvm_func_name
    # numba's own calling convention takes a place for the result and one for an exception; nothing here raises.
    entry = f"""
define void @{symbol}(ptr %arguments) {{
  %result = alloca ptr
  %error = alloca ptr
  %status = call i32 @"{native}"(ptr %result, ptr %error, ptr %arguments)
  ret void
}}
"""
    llvm, machine, _ = _machine()
    return machine.emit_object(llvm.parse_assembly(result.library.get_llvm_str() + entry))


def _load(path: Path) -> bytes | None:
    """Return the object code in a file, or None unless it is there and whole: damaged code would end the process."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _store(path: Path, code: bytes) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(hashlib.sha256(code).digest() + code)
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        warnings.warn(
            f"Compiled kernels cannot be kept in {path.parent} ({error}); they are compiled anew in each process. "
            "Set CONEX_NN_CACHE to a folder that can be written.",
            stacklevel=2,
        )


_linked = []  # a linked library lives as long as something refers to it


@functools.cache
def kernel(name: str, variant: tuple[int, ...], dtype: torch.dtype) -> int:
    """Return the address of a compiled kernel, a C function of one ``int64_t *``.

    Args:
        name: ``"<module>.<function>"`` in ``conex_nn.kernels.cpu``; the function makes the kernel for a numba type.
        variant: What else the function takes: what the machine code is specialised for.
        dtype: ``torch.float32`` or ``torch.float64``.

    Returns:
        The address of its machine code.

    Example:
        >>> kernel("li.forward", (True,), torch.float32) > 0
        True
    """
    with _LOCK:  # a name can be linked once
        return _linked_kernel(name, variant, dtype)


@functools.cache
def _linked_kernel(name: str, variant: tuple[int, ...], dtype: torch.dtype) -> int:
    real = _DTYPES[dtype]
    symbol = "_".join(["conex_nn", *name.split("."), *map(str, map(int, variant)), real])
    path = cache_dir() / f"{symbol}-{_fingerprint()}.o"
    llvm, _, _ = _machine()
    code = _load(path)
    if code is None:
        code = _compile(name, variant, real, symbol)
        _store(path, code)
    compiler = _compiler()
    library = llvm.JITLibraryBuilder().add_object_img(code).add_current_process().export_symbol(symbol)
    _linked.append(library.link(compiler, symbol))
    return _linked[-1][symbol]


@functools.cache
def _compiler():
    """Return the one linker of this process; it takes ownership of a target machine of its own."""
    llvm, _, _ = _machine()
    target = llvm.Target.from_default_triple()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return llvm.create_lljit_compiler(target.create_target_machine(cpu=cpu, features=features, opt=3, jit=True))

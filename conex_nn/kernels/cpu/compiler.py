"""numba as far as LLVM's code: machine code is made of a whole kernel, not of each function in it as well."""

import functools
from collections.abc import Callable
from typing import Any

from numba.core.codegen import AOTCPUCodegen
from numba.core.compiler import Compiler
from typing_extensions import override

__all__ = ["Inner", "Sweep"]


class _CodeGenerator(AOTCPUCodegen):
    @override
    def _customize_tm_features(self) -> str:
        return self._get_host_cpu_features()


@functools.cache
def _code_generator() -> _CodeGenerator:
    return _CodeGenerator("conex_nn", "host")


class Inner(Compiler):
    """Compile a function that only kernels call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.state.flags.no_compile = True

    @override
    def compile_extra(self, func: Callable[..., Any]) -> Any:
        library = _code_generator().create_library(func.__qualname__)
        self.state.library = library
        result = super().compile_extra(func)
        library.finalize()
        entry = [].append  # callers find it under what is new and a function in C
        result.target_context.insert_user_function(entry, result.fndesc, [library])
        return result._replace(entry_point=entry)


class Sweep(Inner):
    """Tell LLVM that the arrays of a function do not overlap, without which it does not vectorise loops over many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.state.flags.noalias = True

"""numba as far as LLVM's code: machine code is made of a whole kernel, not of each function in it as well.

LLVM optimises a kernel as a whole, with all that it calls in it, and before that only the loops of a :class:`Sweep`.
numba's passes over what no kernel has are left out, and a name stands for values of one type: a sixth of its time.
"""

import functools
from collections.abc import Callable
from typing import Any

from numba.core.codegen import AOTCodeLibrary, AOTCPUCodegen
from numba.core.compiler import Compiler, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager
from typing_extensions import override

__all__ = ["Inner", "Kernel", "Sweep"]


_NEEDLESS = {
    "InlineClosureLikes", "GenericRewrites", "InlineOverloads", "NopythonRewrites",  # functions inside, arrays, prints
    "PreLowerStripPhis",  # after the pass that gives each value a name of its own, which is off
}  # fmt: skip


class _Optimised(AOTCodeLibrary):
    @override
    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager()  # numba runs others before, for the counts of references
        passes.run(self._final_module, builder)


class _AsWritten(AOTCodeLibrary):
    @override
    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    @override
    def _optimize_final_module(self) -> None:
        pass


class _CodeGenerator(AOTCPUCodegen):
    @override
    def _customize_tm_features(self) -> str:
        return self._get_host_cpu_features()


@functools.cache
def _code_generator() -> _CodeGenerator:
    return _CodeGenerator("conex_nn", "host")


class Kernel(Compiler):
    """Compile a function with all that it calls."""

    _library = _Optimised

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.state.flags.no_compile = True
        self.state.flags.enable_ssa = False

    @override
    def define_pipelines(self) -> list[PassManager]:
        whole, manager = DefaultPassBuilder.define_nopython_pipeline(self.state), PassManager("kernel")
        for each, description in whole.passes:
            if each.__name__ not in _NEEDLESS:
                manager.add_pass(each, description)
        manager.finalize()
        return [manager]

    @override
    def compile_extra(self, func: Callable[..., Any]) -> Any:
        library = self._library(_code_generator(), func.__qualname__)
        self.state.library = library
        result = super().compile_extra(func)
        library.finalize()
        entry = [].append  # callers find it under what is new and a function in C
        result.target_context.insert_user_function(entry, result.fndesc, [library])
        return result._replace(entry_point=entry)


class Inner(Kernel):
    """Compile a function that only kernels call."""

    _library = _AsWritten


class Sweep(Kernel):
    """Tell LLVM that the arrays of a function do not overlap, without which it does not vectorise loops over many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.state.flags.noalias = True

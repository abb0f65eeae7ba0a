"""Compiles kernels in less than half of numba's own time.

numba's pipeline has passes for Python that kernels do not use; it turns every function that one calls into machine code
of its own, although the caller contains it; and it resolves ``a + b`` anew for each operation. What is left out here
changes no instruction of a kernel.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, Flags
from numba.core.compiler_machinery import PassManager
from numba.core.runtime import rtsys

PASSES = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.GenericRewrites,
    untyped_passes.ReconstructSSA,
    typed_passes.NopythonTypeInference,
    typed_passes.PreLowerStripPhis,
    typed_passes.IRLegalization,
    typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)
OF_THE_CALLER = ("forceinline", "no_cpython_wrapper")  # flags that make no difference to what a function calls


class _Definitions:
    """A module of LLVM that shows only the functions that it defines."""

    def __init__(self, module: Any) -> None:
        object.__setattr__(self, "_module", module)

    @property
    def functions(self) -> list[Any]:
        return [function for function in self._module.functions if not function.is_declaration]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module, name, value)


class _Kernel(JITCodeLibrary):
    """The code of a kernel."""

    def add_ir_module(self, module: Any) -> None:
        for function in module.functions:
            if not function.is_declaration and function.name.startswith("_ZN7cpython"):
                function.attributes.add("noinline")
                function.attributes.add("optnone")
        super().add_ir_module(module)

    def _optimize_functions(self, module: Any) -> None:
        super()._optimize_functions(_Definitions(module))  # numba sets up the passes for declarations, too


class _Part(_Kernel):
    """The code of a function that only kernels call: it becomes machine code as a part of theirs."""

    def add_linking_library(self, library: Any) -> None:
        if library is not rtsys.library:  # every kernel has it
            super().add_linking_library(library)

    def finalize(self) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0  # there is none

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Do nothing: the kernel has an environment."""


class _SteadyFlags(Flags):
    """Flags that do not change: numba hashes them for each operation that it resolves."""

    __slots__ = ("_hash",)
    _hash: int

    def __hash__(self) -> int:
        if not hasattr(self, "_hash"):
            self._hash = super().__hash__()
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or bool(super().__eq__(other))

    def copy(self) -> Flags:
        """Return the flags under which the functions that this one calls are looked up."""
        shared = Flags(self)
        for name in OF_THE_CALLER:
            shared.discard(name)
        shared.nrt = True
        return _steady(shared)


_all_flags: dict[Flags, _SteadyFlags] = {}


def _steady(flags: Flags) -> _SteadyFlags:
    return _all_flags.setdefault(flags, _SteadyFlags(flags))


class _Typing:
    """numba's typing context, which resolves each call of a library function once: most are alike."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._resolved: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, function: Any, args: Any, keywords: Any) -> Any:
        """Return the signature of a call."""
        if keywords or not isinstance(function, types.Function):
            return self._context.resolve_function_type(function, args, keywords)
        key = function, tuple(args)
        if key not in self._resolved:
            self._resolved[key] = self._context.resolve_function_type(function, args, keywords)
        return self._resolved[key]


_typing = cache(_Typing)


class KernelCompiler(CompilerBase):
    """Compiles kernels."""

    library = _Kernel

    def __init__(self, typing: Any, target: Any, library: Any, args: Any, result: Any, flags: Any, local: Any) -> None:
        super().__init__(_typing(typing), target, library, args, result, _steady(flags), local)

    def define_pipelines(self) -> list[PassManager]:
        """Return the one pipeline."""
        manager = PassManager("kernel")
        for step in PASSES:
            manager.add_pass(step, step.__name__)
        manager.finalize()
        self.state.library = self.library(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.library.enable_object_caching()
        return [manager]


class PartCompiler(KernelCompiler):
    """Compiles functions that only kernels call."""

    library = _Part

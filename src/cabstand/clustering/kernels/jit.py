"""How every kernel is compiled: no GIL, C division, strict floats, and stored on disk."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numba
from numba import njit

from cabstand.clustering.kernels.store import KernelCache

Compiled = Callable[..., Any]
Options = dict[str, Any]
TRIED = ("0.68",)  # releases of numba whose inner parts are as `compiler` expects them; others compile in their own way
OPTIONS = {"nogil": True, "error_model": "numpy"}


def _short_cuts() -> tuple[Options, Options]:
    """Return the options with which kernels, and functions that only these call, compile in less time."""
    if numba.__version__.rpartition(".")[0] not in TRIED:
        return {}, {}
    from cabstand.clustering.kernels.compiler import KernelCompiler, PartCompiler

    # Kernels allocate nothing, so that the compiler has no references to count: callers give them room to work in.
    both: Options = {"no_cfunc_wrapper": True, "_nrt": False}
    return both | {"pipeline_class": KernelCompiler}, both | {
        "pipeline_class": PartCompiler,
        "no_cpython_wrapper": True,
    }


KERNEL, PART = _short_cuts()


def kernel(function: Compiled) -> Compiled:
    """Compile with numba when first called, and store the machine code (:mod:`cabstand.clustering.kernels.store`)."""
    compiled = njit(**OPTIONS, **KERNEL)(function)
    compiled._cache = KernelCache(function)
    compiled.compile = _uninterrupted(compiled.compile)
    return compiled  # type: ignore[no-any-return]


def part(function: Compiled, **options: Any) -> Compiled:
    """Compile a function that is only called from kernels, into each of them: Python must not call it."""
    compiled = njit(**OPTIONS, **PART, **options)(function)
    if PART:
        compiled.add_overload = lambda found: compiled.overloads.update({tuple(found.signature.args): found})
        compiled._compile_for_args = _refused
    return compiled  # type: ignore[no-any-return]


def inlined(function: Compiled) -> Compiled:
    """Compile a small helper that is only called from kernels and should vanish in them."""
    return part(function, forceinline=True)


def _refused(*_: Any, **__: Any) -> Any:
    raise TypeError("a part of kernels cannot be called from Python")


def _uninterrupted(compiling: Compiled) -> Compiled:
    @wraps(compiling)
    def compile_(signature: Any) -> Any:
        with signals_held(), uncollected():
            return compiling(signature)

    return compile_


@contextmanager
def uncollected() -> Iterator[None]:
    """Leave garbage until the end of the block: the compiler makes many objects, and few of them garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def signals_held() -> Iterator[None]:
    """Let signals that Python handles, such as Ctrl-C, wait until the end of the block.

    LLVM calls Python back while it compiles. What a signal's handler raises there is lost, and numba (0.68) goes on
    and fails with a RuntimeError that names neither.
    """
    pending: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # no other thread handles signals
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                handlers[number] = signal.signal(number, lambda number, _: pending.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for held in pending:
            signal.raise_signal(held)

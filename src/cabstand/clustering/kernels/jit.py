"""How every kernel is compiled: no GIL, C division, strict floats, and stored on disk."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from numba import njit

from cabstand.clustering.kernels.store import KernelCache

Compiled = Callable[..., Any]


def kernel(function: Compiled) -> Compiled:
    """Compile with numba when first called, and store the machine code (:mod:`cabstand.clustering.kernels.store`)."""
    compiled = njit(nogil=True, error_model="numpy")(function)
    compiled._cache = KernelCache(function)
    compiled.compile = _uninterrupted(compiled.compile)
    return compiled  # type: ignore[no-any-return]


def _uninterrupted(compiling: Compiled) -> Compiled:
    @wraps(compiling)
    def compile_(signature: Any) -> Any:
        with signals_held():
            return compiling(signature)

    return compile_


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


def inlined(function: Compiled) -> Compiled:
    """Compile a small helper that is only called from other kernels and should vanish in them."""
    return njit(nogil=True, error_model="numpy", inline="never", forceinline=True)(function)  # type: ignore[no-any-return]

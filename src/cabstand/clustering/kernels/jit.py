"""How every kernel is compiled: no GIL, C division, strict floats, and a cache on disk where one can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

Compiled = Callable[..., Any]


def kernel(function: Compiled) -> Compiled:
    """Compile with numba when first called; keep the machine code beside the package or in the user's cache folder."""
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder can be written (a frozen or read-only installation): compile in memory
        return njit(**options)(function)  # type: ignore[no-any-return]


def inlined(function: Compiled) -> Compiled:
    """Compile a small helper that is only called from other kernels and should vanish in them."""
    return njit(nogil=True, error_model="numpy", inline="never", forceinline=True)(function)  # type: ignore[no-any-return]

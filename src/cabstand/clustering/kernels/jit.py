"""How every kernel is compiled: no GIL, C division, strict floats, and stored on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from cabstand.clustering.kernels.store import KernelCache

Compiled = Callable[..., Any]


def kernel(function: Compiled) -> Compiled:
    """Compile with numba when first called, and store the machine code (:mod:`cabstand.clustering.kernels.store`)."""
    compiled = njit(nogil=True, error_model="numpy")(function)
    compiled._cache = KernelCache(function)
    return compiled  # type: ignore[no-any-return]


def inlined(function: Compiled) -> Compiled:
    """Compile a small helper that is only called from other kernels and should vanish in them."""
    return njit(nogil=True, error_model="numpy", inline="never", forceinline=True)(function)  # type: ignore[no-any-return]

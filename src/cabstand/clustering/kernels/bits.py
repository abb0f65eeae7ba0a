"""Counting the bits of a word: one instruction of the processor that numba has no name for."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


@intrinsic
def ones(typing: Any, word: Any) -> Any:
    """Return how many bits of a 64-bit word are set."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.ctpop(values[0])

    return types.uint64(types.uint64), code

"""Processor instructions that numba does not expose on CPUs: prefetching, atomic updates, counting bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from cabstand.clustering.kernels.jit import inlined

# The processor foresees what a loop reads next, but not beyond the end of a memory page, and not random accesses.
AHEAD = 512  # elements to prefetch ahead of a loop that reads them in order: beyond the end of the page
JUMPS_AHEAD = 32  # elements to prefetch ahead of a loop that accesses memory at random
LINE = 64  # bytes of a cache line
SHORT = 256  # turns of a short loop of random accesses: those of the next loop start before its own are complete
BYTE, WORD = ir.IntType(8), ir.IntType(32)
EVERY_CACHE, DATA = WORD(3), WORD(1)


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    view = context.make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, array_type, view, [index])


def _prefetch(array: Any, *, write: bool) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = builder.bitcast(_address(context, builder, signature.args[0], *values), BYTE.as_pointer())
        shape = ir.FunctionType(ir.VoidType(), [address.type, WORD, WORD, WORD])
        instruction = builder.module.declare_intrinsic("llvm.prefetch", [address.type], shape)
        builder.call(instruction, [address, WORD(int(write)), EVERY_CACHE, DATA])
        return context.get_dummy_value()

    return types.none(array, types.uint64), code


@intrinsic
def prefetch_read(typing: Any, array: Any, index: Any) -> Any:
    """Prefetch ``array[index]`` (1-D, contiguous) for reading; the element need not exist."""
    return _prefetch(array, write=False)


@intrinsic
def prefetch_write(typing: Any, array: Any, index: Any) -> Any:
    """Prefetch ``array[index]`` (1-D, contiguous) for writing; the element need not exist."""
    return _prefetch(array, write=True)


@inlined
def prefetch_write_lines(array, first, n):
    """Prefetch ``array[first : first + n]`` for writing, each cache line once.

    The loop that writes it then has no prefetches of its own, so it can be vectorised.
    """
    for i in range(first, first + n, LINE // array.itemsize):
        prefetch_write(array, np.uint64(i))


@intrinsic
def compare_and_swap(typing: Any, array: Any, index: Any, old: Any, new: Any) -> Any:
    """Replace ``array[index]`` (int32) by `new` if it equals `old`; return whether it did. Atomic."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = _address(context, builder, signature.args[0], *values[:2])
        pair = builder.cmpxchg(address, values[2], values[3], "monotonic", "monotonic")
        return builder.extract_value(pair, 1)

    return types.boolean(array, types.uint64, types.int32, types.int32), code


@intrinsic
def atomic_min(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Replace ``array[index]`` (int32) by `value` if that is less. Atomic."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.atomic_rmw("min", _address(context, builder, signature.args[0], *values[:2]), values[2], "monotonic")
        return context.get_dummy_value()

    return types.none(array, types.uint64, types.int32), code


@intrinsic
def fetch_and_add_one(typing: Any, array: Any, index: Any) -> Any:
    """Add 1 to ``array[index]`` (int64) and return what it was. Atomic."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = _address(context, builder, signature.args[0], *values)
        return builder.atomic_rmw("add", address, context.get_constant(types.int64, 1), "monotonic")

    return types.int64(array, types.uint64), code


@intrinsic
def count_ones(typing: Any, word: Any) -> Any:
    """Return how many bits of a 64-bit word are set."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.ctpop(values[0])

    return types.uint64(types.uint64), code

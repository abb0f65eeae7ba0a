"""Processor instructions that numba does not expose on CPUs: prefetching, atomic updates, counting bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from cabstand.clustering.kernels.jit import inlined

# The processor foresees what a loop reads next, but not beyond the end of a memory page, and not random accesses.
AHEAD = 512  # elements to prefetch ahead of a loop that reads them in order: beyond the end of the page
JUMPS_AHEAD = 32  # elements to prefetch ahead of a loop that accesses memory at random
LINE = 64  # bytes of a cache line
SHORT = 256  # turns of a short loop of random accesses: those of the next loop start before its own are complete
BYTE, WORD = ir.IntType(8), ir.IntType(32)
EVERY_CACHE, DATA = WORD(3), WORD(1)


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


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
    """Prefetch the element `index` of an array (in C order) for reading; it need not exist."""
    return _prefetch(array, write=False)


@intrinsic
def prefetch_write(typing: Any, array: Any, index: Any) -> Any:
    """Prefetch the element `index` of an array (in C order) for writing; it need not exist."""
    return _prefetch(array, write=True)


@intrinsic(prefer_literal=True)
def scratch(typing: Any, rows: Any, columns: Any, kind: Any) -> Any:
    """Return an array of a constant shape that lives on the stack until the calling kernel returns."""
    array_type = types.Array(kind.instance_type, 2, "C")

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        item = context.get_data_type(array_type.dtype)
        n_rows, n_columns, size = rows.literal_value, columns.literal_value, context.get_abi_sizeof(item)
        numbers = [n_rows, n_columns, size * n_columns, size, n_rows * n_columns]
        n_rows, n_columns, *strides, n = [context.get_constant(types.intp, number) for number in numbers]
        array, data = context.make_array(array_type)(context, builder), cgutils.alloca_once(builder, item, n)
        shape = [n_rows, n_columns]
        populate_array(array, data=data, shape=shape, strides=strides, itemsize=strides[1], meminfo=None)
        return array._getvalue()

    return array_type(rows, columns, kind), code


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


def _chosen(typing: Any, a: Any, b: Any, comparison: str) -> Any:
    kind = types.unliteral(typing.unify_types(a, b))
    signed = isinstance(kind, types.Integer) and kind.signed

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first, second = (context.cast(builder, value, own, kind) for value, own in zip(values, (a, b), strict=True))
        if isinstance(kind, types.Float):
            chooses = builder.fcmp_ordered(comparison, second, first)
        else:
            chooses = (builder.icmp_signed if signed else builder.icmp_unsigned)(comparison, second, first)
        return builder.select(chooses, second, first)

    return kind(a, b), code


@intrinsic
def smaller(typing: Any, a: Any, b: Any) -> Any:
    """Return the smaller of two numbers, as `min` does, which numba would compile for each pair of types."""
    return _chosen(typing, a, b, "<")


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """Return the larger of two numbers; see :func:`smaller`."""
    return _chosen(typing, a, b, ">")


@intrinsic
def count_ones(typing: Any, word: Any) -> Any:
    """Return how many bits of a 64-bit word are set."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.ctpop(values[0])

    return types.uint64(types.uint64), code

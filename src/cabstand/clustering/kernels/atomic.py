"""Writes that several threads may make to one place of an array: numba has them for graphics cards alone."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    view = context.make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, array_type, view, [index])


@intrinsic
def swap(typing: Any, array: Any, index: Any, old: Any, new: Any) -> Any:
    """Write `new` at ``array[index]`` (int32) if `old` stands there; tell whether it did."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], values[0], values[1])
        pair = builder.cmpxchg(place, values[2], values[3], "monotonic", "monotonic")
        return builder.extract_value(pair, 1)

    return types.boolean(array, types.uint64, types.int32, types.int32), code


@intrinsic
def lower(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write `value` at ``array[index]`` (int32) if it is less than what stands there."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], values[0], values[1])
        builder.atomic_rmw("min", place, values[2], "monotonic")
        return context.get_dummy_value()

    return types.none(array, types.uint64, types.int32), code


@intrinsic
def advance(typing: Any, array: Any, index: Any) -> Any:
    """Add 1 to ``array[index]`` (int64) and return what stood there."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], values[0], values[1])
        return builder.atomic_rmw("add", place, context.get_constant(types.int64, 1), "monotonic")

    return types.int64(array, types.uint64), code

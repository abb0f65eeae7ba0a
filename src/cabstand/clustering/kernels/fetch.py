"""Asking the memory for what will be needed soon: an instruction of the processor that numba has no name for.

A processor guesses what a loop reads next, but not beyond the end of a page of memory, and not where a loop jumps
about. A place that is asked for need not exist.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from cabstand.clustering.kernels.jit import inlined

AHEAD = 512  # points (or what there is one of a point) before a loop that takes them in order: beyond the page's end
JUMPS_AHEAD = 32  # before a loop that jumps about
LINE = 64  # bytes of a line of the cache
SHORT = 256  # turns of a short loop that jumps about: the jumps of the next are under way before its own have ended
BYTE, WORD = ir.IntType(8), ir.IntType(32)
EVERY_CACHE, DATA = WORD(3), WORD(1)


def _request(array: Any, index: Any, *, writes: bool) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, values[0])
        place = builder.bitcast(builder.gep(view.data, [values[1]]), BYTE.as_pointer())
        shape = ir.FunctionType(ir.VoidType(), [place.type, WORD, WORD, WORD])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [place.type], shape)
        builder.call(ask, [place, WORD(int(writes)), EVERY_CACHE, DATA])
        return context.get_dummy_value()

    return types.none(array, types.uint64), code


@intrinsic
def soon_read(typing: Any, array: Any, index: Any) -> Any:
    """Ask for ``array[index]`` (one dimension, without gaps), which will be read."""
    return _request(array, index, writes=False)


@intrinsic
def soon_written(typing: Any, array: Any, index: Any) -> Any:
    """Ask for ``array[index]`` (one dimension, without gaps), which will be written."""
    return _request(array, index, writes=True)


@inlined
def lines_soon_written(array, first, n):
    """Ask for ``array[first : first + n]``, which will be written, each line of the cache once.

    The loop that writes it then asks for nothing, so it can run on vectors and has more of its jumps under way.
    """
    for i in range(first, first + n, LINE // array.itemsize):
        soon_written(array, np.uint64(i))

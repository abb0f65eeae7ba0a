"""Read protobuf's wire format as far as ONNX files need it: the service does not carry the onnx package.

Field numbers: onnx/onnx.proto3. Whatever is not well-formed is a ValueError or an IndexError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_NAME, _INT, _STRING, _TENSOR, _GRAPH = 1, 3, 4, 5, 6
_FLOATS, _INTS, _STRINGS, _TENSORS, _GRAPHS, _SPARSE = 7, 8, 9, 10, 11, (22, 23)
# Runs of list elements: 100,000 values read as runs cost a twentieth of what they cost one by one.
_RUNS = {
    _FLOATS: re.compile(rb"(?:\x3d.{4})++", re.DOTALL),
    _INTS: re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])++"),
}
_FIRST = {0x3D: _FLOATS, 0x40: _INTS}
_NO_INTS: Ints = np.empty(0, np.int64)


@dataclass
class Attribute:
    """An attribute of a node; of its lists the floats are only counted."""

    name: str = ""
    integer: int = 0
    n_floats: int = 0
    ints: Ints = field(default_factory=lambda: _NO_INTS)
    strings: list[bytes] = field(default_factory=list)
    tensors: list[memoryview] = field(default_factory=list)
    has_graph: bool = False  # or a sparse tensor


def attribute(message: memoryview) -> Attribute:
    """Return an attribute."""
    found, ints, at = Attribute(), [], 0
    while at < len(message):
        kind = _FIRST.get(message[at])
        if kind is not None and (run := _RUNS[kind].match(message, at)):
            if kind == _FLOATS:
                found.n_floats += (run.end() - at) // 5
            else:
                ints.append(varints(message[at : run.end()])[1::2])  # each behind its tag
            at = run.end()
            continue
        number, value, at = _field(message, at)
        if number == _INTS:
            ints.append(np.array([_signed(value)]) if isinstance(value, int) else varints(value))
        else:
            _take(found, number, value)
    found.ints = np.concatenate(ints) if ints else _NO_INTS
    return found


def _take(found: Attribute, number: int, value: int | memoryview) -> None:
    if number == _NAME:
        found.name = text(value)
    elif number == _INT and isinstance(value, int):
        found.integer = _signed(value)
    elif number == _FLOATS:
        found.n_floats += len(block(value)) // 4
    elif number == _STRINGS:
        found.strings.append(bytes(block(value)))
    elif number in {_TENSOR, _TENSORS}:
        found.tensors.append(block(value))
    elif number in {_GRAPH, _GRAPHS, *_SPARSE}:
        found.has_graph = True


def varints(data: memoryview) -> Ints:
    """Return the numbers of a run of varints."""
    content = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(content < 0x80)
    if not len(content) or ends[-1] != len(content) - 1:
        raise ValueError("cut short")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 10:
        raise ValueError("number too long")
    shift = (np.arange(len(content)) - np.repeat(starts, lengths)).astype(np.uint64) * np.uint64(7)
    parts = (content & 0x7F).astype(np.uint64) << shift
    return np.bitwise_or.reduceat(parts, starts).view(np.int64)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def text(value: int | memoryview) -> str:
    """Return a field's bytes as text."""
    return str(block(value), "utf-8")


def block(value: int | memoryview) -> memoryview:
    """Return the bytes of a field that must have some."""
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield field numbers with their values: integers, or the bytes of anything longer."""
    at = 0
    while at < len(message):
        number, value, at = _field(message, at)
        yield number, value


def _field(message: memoryview, at: int) -> tuple[int, int | memoryview, int]:
    """Return number and value of the field at `at`, and where the next one begins."""
    tag, at = _varint(message, at)
    kind = tag & 7
    if kind == 0:
        number, at = _varint(message, at)
        return tag >> 3, number, at
    if kind == 2:
        size, at = _varint(message, at)
    elif kind in {1, 5}:
        size = 8 if kind == 1 else 4
    else:
        raise ValueError("an obsolete wire type")
    if at + size > len(message):
        raise ValueError("cut short")
    return tag >> 3, message[at : at + size], at + size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        shift += 7
        if shift > 63:
            raise ValueError("number too long")

"""Check an ONNX file's bytes before ONNX Runtime loads them.

A file of 107 bytes can ask for gigabytes: one operator that makes a tensor of a given shape is enough. So operators
come from a list, nothing is read from other files, and functions and subgraphs are refused. The protobuf wire format
is read here, as the service does not carry the onnx package. Field numbers: onnx/onnx.proto3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cabstand.errors import DataError
from cabstand.modelling.bundle import MAX_BYTES, OPERATORS

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE = (22, 23)
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
# The attributes of trees: `floats`, `ints`, and `strings` that are BRANCH_LEQ or LEAF. Skipped as runs, 100,000 values
# cost a twentieth of what they cost one by one.
_LISTS = re.compile(
    rb"(?:\x3d.{4})++|(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])++|(?:\x4a(?:\x0aBRANCH_LEQ|\x04LEAF))++", re.DOTALL
)


def check(model: bytes, where: str = "model.onnx") -> None:
    """Raise a DataError unless a model holds only what our own models can hold."""
    if len(model) > MAX_BYTES:
        raise DataError(f"{len(model):,} bytes, more than the {MAX_BYTES:,} allowed", where=where)
    try:
        n_graphs = 0
        for number, value in _fields(memoryview(model)):
            if number == _MODEL_FUNCTIONS:
                raise DataError("functions are refused", where=where)
            if number == _MODEL_GRAPH:
                n_graphs += 1
                _check_graph(_block(value), where)
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise DataError("not an ONNX file", where=where) from error
    if n_graphs != 1:
        raise DataError("not an ONNX file", where=where)


def _check_graph(graph: memoryview, where: str) -> None:
    for number, value in _fields(graph):
        if number == _GRAPH_NODE:
            _check_node(_block(value), where)
        elif number == _GRAPH_TENSOR:
            _check_tensor(_block(value), where)
        elif number == _GRAPH_SPARSE:
            raise DataError("sparse tensors are refused", where=where)


def _check_node(node: memoryview, where: str) -> None:
    operator = domain = ""
    for number, value in _fields(node):
        if number == _NODE_OPERATOR:
            operator = str(_block(value), "utf-8")
        elif number == _NODE_DOMAIN:
            domain = str(_block(value), "utf-8")
        elif number == _NODE_ATTRIBUTE:
            _check_attribute(_block(value), where)
    if operator not in OPERATORS or domain not in DOMAINS:
        raise DataError(f"operator {domain}:{operator[:40]} is not on the list", where=where)


def _check_attribute(attribute: memoryview, where: str) -> None:
    for number, value in _fields(attribute, _LISTS):
        if number in {_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS, *_ATTRIBUTE_SPARSE}:
            raise DataError("subgraphs and sparse tensors are refused", where=where)
        if number in {_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS}:
            _check_tensor(_block(value), where)


def _check_tensor(tensor: memoryview, where: str) -> None:
    for number, value in _fields(tensor):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value != 0):
            raise DataError("data in another file is refused", where=where)


def _block(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _fields(message: memoryview, skipped: re.Pattern[bytes] | None = None) -> Iterator[tuple[int, int | memoryview]]:
    """Yield field numbers with their values, but for runs of whole fields that `skipped` matches.

    Values are integers, or the bytes of anything longer.
    """
    at, end = 0, len(message)
    while at < end:
        if skipped is not None and (run := skipped.match(message, at)):
            at = run.end()
            continue
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in {1, 5}:
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("an obsolete wire type")
        if at + size > end:
            raise ValueError("cut short")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("number too long")

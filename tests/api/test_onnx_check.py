"""What stands among an attribute's lists, which are passed over as runs, is seen; and a list cut short is none."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from cabstand.api import onnx_check
from cabstand.errors import DataError

LISTS = {
    "floats": [0.0, -1.5, 3e38],
    "ints": [0, 127, 128, 2**63 - 1, -1, -(2**63)],
    "strings": [b"LEAF", b"BRANCH_LEQ", b"", b"LEAFY", b"\x4a\x04LEAF", b"y" * 300, b"LEAF"],
}


def model(**more: Any) -> bytes:
    attribute = AttributeProto(name="all", **LISTS, **more)
    node = NodeProto(op_type="TreeEnsembleRegressor", domain="ai.onnx.ml", attribute=[attribute])
    return bytes(ModelProto(graph=GraphProto(node=[node])).SerializeToString())


def test_lists_alone_are_well() -> None:
    onnx_check.check(model())


@pytest.mark.parametrize(
    "more",
    [
        {"g": GraphProto(name="g")},  # before the lists
        {"graphs": [GraphProto(name="g")]},  # after them
        {"sparse_tensors": [SparseTensorProto()]},
        {"tensors": [TensorProto(data_location=TensorProto.EXTERNAL)]},
    ],
)
def test_what_is_refused_is_found_around_them(more: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="refused"):
        onnx_check.check(model(**more))


def test_no_list_ends_in_the_middle_of_a_value() -> None:
    lists = AttributeProto(**LISTS).SerializeToString()
    whole = {len(AttributeProto.FromString(lists[:end]).SerializeToString()) for end in _ends(lists)}
    assert len(whole) == sum(map(len, LISTS.values())) + 1
    for end in range(len(lists)):
        node = _field(1, _field(5, lists[:end]) + _field(4, b"Add"))
        if end in whole:
            onnx_check.check(_field(7, node))
            continue
        with pytest.raises(DataError, match="not an ONNX file"):
            onnx_check.check(_field(7, node))


def _ends(lists: bytes) -> list[int]:
    """Return where protobuf itself finds whole values alone."""
    found = []
    for end in range(len(lists) + 1):
        try:
            AttributeProto.FromString(lists[:end])
        except Exception:  # whatever class this protobuf raises
            continue
        found.append(end)
    return found


def _field(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content

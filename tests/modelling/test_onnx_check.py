"""What stands among an attribute's lists, which are passed over as runs, is seen; and a list cut short is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from cabstand.errors import DataError
from cabstand.modelling import catalog, export, fit, onnx_check
from cabstand.modelling.onnx_wire import attribute

CANDIDATES = [(name, one.name) for name in sorted(catalog.BUILT_IN) for one in catalog.find(name).candidates()]
LISTS = {
    "floats": [0.0, -1.5, 3e38],
    "ints": [0, 127, 128, 2**63 - 1, -1, -(2**63)],
    "strings": [b"LEAF", b"BRANCH_LEQ", b"", b"LEAFY", b"\x4a\x04LEAF", b"y" * 300, b"LEAF"],
}


def model(**more: Any) -> bytes:
    attribute = AttributeProto(name="all", **LISTS, **more)
    node = NodeProto(op_type="Scaler", domain="ai.onnx.ml", attribute=[attribute])
    return bytes(ModelProto(graph=GraphProto(node=[node])).SerializeToString())


def test_lists_alone_are_well() -> None:
    onnx_check.check(model(), 13)


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
        onnx_check.check(model(**more), 13)


def test_no_list_ends_in_the_middle_of_a_value() -> None:
    lists = AttributeProto(**LISTS).SerializeToString()
    whole = {len(AttributeProto.FromString(lists[:end]).SerializeToString()) for end in _ends(lists)}
    assert len(whole) == sum(map(len, LISTS.values())) + 1
    for end in range(len(lists)):
        node = _field(1, _field(5, lists[:end]) + _field(4, b"Add"))
        if end in whole:
            onnx_check.check(_field(7, node), 13)
            continue
        with pytest.raises(DataError, match="not an ONNX file"):
            onnx_check.check(_field(7, node), 13)


def test_lists_are_read_as_they_are() -> None:
    found = attribute(memoryview(AttributeProto(name="all", **LISTS).SerializeToString()))
    assert found.name == "all"
    assert found.ints.tolist() == LISTS["ints"]
    assert found.n_floats == len(LISTS["floats"])
    assert found.strings == LISTS["strings"]


@pytest.mark.parametrize(("name", "candidate"), CANDIDATES)
def test_what_is_exported_is_well(name: str, candidate: str) -> None:
    """Forests, boosting, linear models and classifiers: all that the built-in problems can choose."""
    problem = catalog.find(name)
    rng = np.random.default_rng(0)
    matrix = rng.uniform(1, 50, (300, len(problem.feature_names))).astype(np.float32)
    target = rng.integers(0, 3, 300) if problem.task == "classification" else matrix.sum(axis=1)
    [chosen] = [one for one in problem.candidates() if one.name == candidate]
    with fit.one_thread():
        model = fit.Model(candidate, chosen.build(0).fit(matrix, target), None, problem.target.minimum)
    onnx_check.check(export.to_onnx(model, matrix.shape[1]), matrix.shape[1])


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

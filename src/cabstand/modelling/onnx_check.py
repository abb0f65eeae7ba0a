"""Check an ONNX file's bytes before ONNX Runtime loads them.

A file of 107 bytes can ask for gigabytes: one operator that makes a tensor of a given shape is enough. So operators
come from a list, nothing is read from other files, and functions and subgraphs are refused. Shapes must be constants:
then the sizes of all tensors follow from the number of rows alone, and the largest batch shows what the largest batch
takes. Indices of trees and linear models must fit their inputs. Field numbers: onnx/onnx.proto3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from cabstand.errors import DataError
from cabstand.modelling.bundle import MAX_BYTES, OPERATORS
from cabstand.modelling.onnx_trees import Attributes, check_linear, check_trees
from cabstand.modelling.onnx_wire import Attribute, attribute, block, fields, text, varints

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_SPARSE = 1, 5, 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_TENSOR_DIMS, _TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 1, 8, 13, 14
_SHAPED = frozenset({"Reshape", "Squeeze", "Unsqueeze"})
_TREES = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})
_LINEAR = frozenset({"LinearClassifier", "LinearRegressor"})
_PICKS = frozenset({"ArrayFeatureExtractor", "Gather"})
_BROADCAST = frozenset({"Add", "Sub", "Mul", "Div", "Max", "Min", "Where"})
_KEEPS_WIDTH = frozenset({"Cast", "Clip", "Identity", "Imputer", "IsNaN", "Normalizer", "Scaler", "Sigmoid", "Softmax"})

Widths = dict[str, int]  # columns of the matrices whose width is known
Shapes = dict[str, list[int]]  # of constants


@dataclass(frozen=True)
class _Node:
    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: Attributes


def check(model: bytes, n_features: int, where: str = "model.onnx") -> None:
    """Raise a DataError unless a model of `n_features` holds only what our own models can hold."""
    if len(model) > MAX_BYTES:
        raise DataError(f"{len(model):,} bytes, more than the {MAX_BYTES:,} allowed", where=where)
    try:
        graphs = []
        for number, value in fields(memoryview(model)):
            if number == _MODEL_FUNCTIONS:
                raise DataError("functions are refused", where=where)
            if number == _MODEL_GRAPH:
                graphs.append(block(value))
        if len(graphs) != 1:
            raise DataError("not an ONNX file", where=where)
        _check_graph(graphs[0], n_features, where)
    except (IndexError, ValueError, OverflowError) as error:
        raise DataError("not an ONNX file", where=where) from error


def _check_graph(graph: memoryview, n_features: int, where: str) -> None:
    nodes: list[_Node] = []
    shapes: Shapes = {}
    for number, value in fields(graph):
        if number == _GRAPH_NODE:
            nodes.append(_node(block(value), where))
        elif number == _GRAPH_TENSOR:
            name, shape = _tensor(block(value), where)
            shapes[name] = shape
        elif number == _GRAPH_SPARSE:
            raise DataError("sparse tensors are refused", where=where)
    widths = {name: shape[-1] for name, shape in shapes.items() if shape} | {"features": n_features}
    for node in nodes:
        if node.operator in _SHAPED and any(name not in shapes for name in node.inputs[1:]):
            raise DataError(f"a {node.operator} whose shape is not a constant is refused", where=where)
        width = _width(node, widths, shapes, where)
        for output in node.outputs:
            widths.pop(output, None)
        if width is not None and node.outputs:
            widths[node.outputs[-1]] = width  # of a classifier's two outputs the probabilities are the second


def _width(node: _Node, widths: Widths, shapes: Shapes, where: str) -> int | None:
    """Return the width of a node's output if it is known; check nodes that depend on the width of their input."""
    known = [widths.get(name) for name in node.inputs]
    first = known[0] if known else None
    if node.operator in _TREES | _LINEAR:
        if first is None:
            raise DataError(f"a {node.operator} whose input has an unknown width is refused", where=where)
        return (check_trees if node.operator in _TREES else check_linear)(node.attributes, first, where)
    if node.operator in _KEEPS_WIDTH:
        return first
    if node.operator in _BROADCAST:
        return max((one for one in known if one is not None), default=None)
    return _combined(node, known, shapes)


def _combined(node: _Node, known: list[int | None], shapes: Shapes) -> int | None:
    axis = node.attributes.get("axis", Attribute(integer=0)).integer
    if node.operator == "Concat" and axis in {1, -1}:
        return None if None in known else sum(one or 0 for one in known)
    if len(known) < 2:
        return None
    shape = shapes.get(node.inputs[1])
    if node.operator in _PICKS and (node.operator != "Gather" or axis in {1, -1}):
        return None if shape is None else math.prod(shape)
    if node.operator in {"MatMul", "Gemm"}:
        transposed = node.attributes.get("transB", Attribute()).integer
        return None if shape is None or len(shape) != 2 else shape[0 if transposed else 1]
    return None


def _node(message: memoryview, where: str) -> _Node:
    operator = domain = ""
    inputs, outputs = [], []
    attributes: dict[str, Attribute] = {}
    for number, value in fields(message):
        if number == _NODE_OPERATOR:
            operator = text(value)
        elif number == _NODE_DOMAIN:
            domain = text(value)
        elif number == _NODE_INPUT:
            inputs.append(text(value))
        elif number == _NODE_OUTPUT:
            outputs.append(text(value))
        elif number == _NODE_ATTRIBUTE:
            one = attribute(block(value))
            _check_attribute(one, attributes, where)
            attributes[one.name] = one
    if operator not in OPERATORS or domain not in DOMAINS:
        raise DataError(f"operator {domain}:{operator[:40]} is not on the list", where=where)
    return _Node(operator, inputs, outputs, attributes)


def _check_attribute(one: Attribute, before: Iterable[str], where: str) -> None:
    if one.has_graph:
        raise DataError("subgraphs and sparse tensors are refused", where=where)
    if one.name in before:
        raise DataError("an attribute that is given twice is refused", where=where)
    for tensor in one.tensors:
        _tensor(tensor, where)


def _tensor(message: memoryview, where: str) -> tuple[str, list[int]]:
    """Return name and shape of a tensor."""
    name = ""
    shape: list[int] = []
    for number, value in fields(message):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value != 0):
            raise DataError("data in another file is refused", where=where)
        if number == _TENSOR_NAME:
            name = text(value)
        elif number == _TENSOR_DIMS:
            shape += [value] if isinstance(value, int) else varints(value).tolist()
    return name, shape

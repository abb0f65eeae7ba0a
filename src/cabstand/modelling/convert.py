"""Convert a fitted model to an ONNX graph.

skl2onnx 1.20 has faults that are repaired or refused here, all found by parity tests on rounded decimals. It passes a
flag as bool where newer protobuf requires int. It rounds the thresholds of gradient boosting, which are float64 values
between two float32 ones, to nearest; they must be rounded down. `loss="poisson"` and `categorical_features` convert to
models that answer wrongly: refused.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

from cabstand.errors import ConfigError
from cabstand.modelling.coded import CodedRidge
from cabstand.modelling.estimators import RootBoosting
from cabstand.modelling.fit import Model

OPSETS = {"": 17, "ai.onnx.ml": 3}


def to_graph(model: Model, n_features: int) -> GraphProto:
    """Return a graph with the input "features", float32 (n, k), and the outputs that `Model.answer` names."""
    if hasattr(model.point, "predict_proba"):
        return _classification(model, n_features)
    return _regression(model, n_features)


def _classification(model: Model, n_features: int) -> GraphProto:
    graph = _convert(model.point, n_features, "point/").graph
    graph.name = "cabstand"  # skl2onnx gives a random one
    # The names differ from one classifier to the next; the order does not.
    renamed = {one.name: name for one, name in zip(graph.output, ("label", "probability"), strict=True)}
    for output in graph.output:
        output.name = renamed[output.name]
    for node in graph.node:
        node.output[:] = [renamed.get(name, name) for name in node.output]
        node.input[:] = [renamed.get(name, name) for name in node.input]
    return graph


def _regression(model: Model, n_features: int) -> GraphProto:
    graph = Graph()
    raw = graph.column(_convert(model.point, n_features, "point/"), "point/column")
    minimum = graph.constant("minimum", -np.inf if model.minimum is None else model.minimum)
    outputs = [graph.add("Max", [raw, minimum], "point")]
    if (interval := model.interval) is not None:
        raw = graph.column(_convert(interval.error, n_features, "error/"), "error/column")
        graph.add("Max", [raw, graph.constant("error/least", interval.least)], "error")
        graph.add("Mul", ["error", graph.constant("errors_below", interval.below)], "below")
        graph.add("Mul", ["error", graph.constant("errors_above", interval.above)], "above")
        graph.add("Sub", ["point", "below"], "lower")
        outputs.append(graph.add("Max", ["lower", minimum], "low"))
        outputs.append(graph.add("Add", ["point", "above"], "high"))
    return graph.finish(outputs, n_features)


def _convert(estimator: Any, n_features: int, prefix: str) -> ModelProto:
    """Return an ONNX model that answers as `estimator.predict`, all its names but the input's under `prefix`."""
    if isinstance(estimator, CodedRidge):
        found = helper.make_model(_coded(estimator, n_features))
    elif isinstance(estimator, RootBoosting):
        found = helper.make_model(_root(estimator, n_features))
    else:
        found = _sklearn(estimator, n_features)
    return compose.add_prefix(found, prefix, rename_inputs=False)


def _coded(model: CodedRidge, n_features: int) -> GraphProto:
    """Return a graph of one table look-up per coded column, and one product for the numeric columns."""
    graph = Graph()
    total = graph.constant("intercept", model.intercept_)
    terms = [_look_up(graph, *coded) for coded in enumerate(zip(model.coded, model.tables_, strict=True))]
    if model.numeric:
        terms.append(_product(graph, model))
    for number, term in enumerate(terms):
        total = graph.add("Add", [total, term], f"sum{number}")
    return graph.finish([total], n_features, shape=None)


def _look_up(graph: Graph, number: int, coded: tuple[int, npt.NDArray[np.float64]]) -> str:
    """Add a coded column's term. Codes beyond the table get its last entry, 0: nothing is known of them."""
    column, table = coded
    columns = graph.constant(f"column{number}", column, np.int64)
    entries = graph.constant(f"table{number}", table)
    bounds = [graph.constant(f"zero{number}", 0), graph.constant(f"last{number}", len(table) - 1)]
    picked = graph.add("Gather", ["features", columns], f"picked{number}", axis=1)
    # Clipped before the cast, which is undefined for a float too large for an integer.
    clipped = graph.add("Clip", [picked, *bounds], f"clipped{number}")
    code = graph.add("Cast", [clipped], f"code{number}", to=TensorProto.INT64)
    return graph.add("Gather", [entries, code], f"term{number}")


def _product(graph: Graph, model: CodedRidge) -> str:
    """Add the term of the numeric columns, in which NaN counts as the mean."""
    columns = graph.constant("columns", model.numeric, np.int64)
    means = graph.constant("means", model.mean_)
    weights = graph.constant("weights", model.weights_ / model.scale_)
    numbers = graph.add("Gather", ["features", columns], "numbers", axis=1)
    missing = graph.add("IsNaN", [numbers], "missing")
    known = graph.add("Where", [missing, means, numbers], "known")
    return graph.add("MatMul", [graph.add("Sub", [known, means], "centred"), weights], "product")


def _root(estimator: RootBoosting, n_features: int) -> GraphProto:
    """Return a graph of the boosted root, squared."""
    graph = Graph()
    # Each node costs a row about as much as a tree, so the scale goes into the leaves.
    scaled = _scaled(estimator.root_, np.sqrt(estimator.scale_))
    root = graph.take(_convert(scaled, n_features, "root/"))
    output = graph.add("Mul", [root, root], "square")
    if estimator.floor_:
        output = graph.add("Add", [output, graph.constant("floor", estimator.floor_)], "sum")
    return graph.finish([output], n_features)


def _scaled(boosting: Any, factor: float) -> Any:
    """Return a copy of the boosting whose predictions are multiplied by `factor`."""
    found = copy.deepcopy(boosting)
    found._baseline_prediction = found._baseline_prediction * factor
    for tree in _trees(found):
        tree.nodes["value"] *= factor
    return found


def _trees(boosting: Any) -> Iterator[Any]:
    return (tree for trees in boosting._predictors for tree in trees)


def _sklearn(estimator: Any, n_features: int) -> ModelProto:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    repaired = _with_thresholds_rounded_down(estimator)
    with _repaired_converter():
        return convert_sklearn(
            repaired,
            initial_types=[("features", FloatTensorType([None, n_features]))],
            target_opset=OPSETS,
            options={id(repaired): {"zipmap": False}} if hasattr(repaired, "predict_proba") else None,
        )


def _with_thresholds_rounded_down(estimator: Any) -> Any:
    """Return the estimator with each boosting threshold as the largest float32 not above it.

    For a float32 x, x <= t is the same as x <= (t rounded down), and the file holds float32 alone.
    """
    if not hasattr(estimator, "_predictors"):
        return estimator
    if estimator.get_params().get("loss") in {"poisson", "gamma"}:
        raise ConfigError(f"loss {estimator.loss!r} converts to a wrong model", hint="use squared_error or quantile")
    if estimator.is_categorical_ is not None and np.any(estimator.is_categorical_):
        raise ConfigError("categorical_features convert to a wrong model", hint="give codes or learned means instead")
    found = copy.deepcopy(estimator)
    for tree in _trees(found):
        tree.nodes["num_threshold"] = rounded_down(tree.nodes["num_threshold"])
    return found


def rounded_down(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return each value as the largest float32 that is not above it (as float64)."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    above = near.astype(np.float64) > values
    near[above] = np.nextafter(near[above], np.float32(-np.inf))
    return near.astype(np.float64)


@contextmanager
def _repaired_converter() -> Iterator[None]:
    """Make skl2onnx pass `nodes_missing_value_tracks_true` as the int that the format requires."""
    from skl2onnx.common import tree_ensemble

    original = tree_ensemble.add_node

    def add_node(attr_pairs: Any, *args: Any, **kwargs: Any) -> None:
        original(attr_pairs, *args, **kwargs)
        flags = attr_pairs["nodes_missing_value_tracks_true"]
        flags[-1] = int(flags[-1])

    tree_ensemble.add_node = add_node
    try:
        yield
    finally:
        tree_ensemble.add_node = original


class Graph:
    """An ONNX graph under construction, with one input: "features", float32 (n, k)."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def take(self, exported: ModelProto) -> str:
        """Add all of an exported estimator and return the name of its output."""
        self.nodes += exported.graph.node
        self.constants += exported.graph.initializer
        return str(exported.graph.output[0].name)

    def column(self, exported: ModelProto, name: str) -> str:
        """Add all of an exported estimator, and return the name of its output as one column."""
        raw = self.take(exported)
        if len(exported.graph.output[0].type.tensor_type.shape.dim) == 2:
            return raw
        return self.add("Reshape", [raw, self.constant(f"{name}/shape", [-1, 1], np.int64)], name)

    def finish(
        self, outputs: Sequence[str], n_features: int, shape: Sequence[int | None] | None = (None, 1)
    ) -> GraphProto:
        """Return the graph with these outputs, float32 of this shape."""
        return helper.make_graph(
            self.nodes,
            "cabstand",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, n_features])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
            self.constants,
        )

"""From fitted estimators to one ONNX file, and the proof that both answer alike.

Two faults of the converter (skl2onnx 1.20) are mended here, both found by parity tests on rounded decimals: a flag that
newer protobuf refuses as a bool, and thresholds of gradient boosting, which are float64 between two float32 values and
must be rounded down, never to nearest. `loss="poisson"` and `categorical_features` convert silently wrong: refused.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.errors import ConfigError, DataError
from cabstand.modelling.bundle import MAX_BYTES, OPERATORS
from cabstand.modelling.coded import CodedRidge
from cabstand.modelling.coded_graph import coded_graph
from cabstand.modelling.fit import Model
from cabstand.modelling.problem import FeatureMatrix
from cabstand.modelling.root import RootBoosting

OPSET, ML_OPSET, IR_VERSION = 17, 3, 8


def to_onnx(model: Model, n_features: int) -> bytes:
    """Return one file: input "features" float32 (n, k), outputs as `Model.answer` names them.

    Raises
    ------
    ConfigError
        If an estimator is one whose conversion is known to be wrong, or that needs operators not on the list.
    """
    from onnx import checker, helper

    if hasattr(model.point, "predict_proba"):
        exported = _converted(model.point, n_features, "point/")
        # The names differ from one classifier to the next; the order does not.
        renamed = {one.name: name for one, name in zip(exported.graph.output, ("label", "probability"), strict=True)}
        for graph_output in exported.graph.output:
            graph_output.name = renamed[graph_output.name]
        for node in exported.graph.node:
            node.output[:] = [renamed.get(name, name) for name in node.output]
            node.input[:] = [renamed.get(name, name) for name in node.input]
        graph = exported.graph
    else:
        graph = _regression(model, n_features)
    whole = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    )
    whole.ir_version = IR_VERSION
    whole.producer_name = "cabstand"
    checker.check_model(whole)
    if other := sorted({node.op_type for node in graph.node} - OPERATORS):
        raise ConfigError(f"needs the operators {', '.join(other)}", where=f"candidate {model.candidate}")
    data = bytes(whole.SerializeToString(deterministic=True))
    if len(data) > MAX_BYTES:
        raise ConfigError(f"a file of {len(data) >> 20} MiB", where=f"candidate {model.candidate}", hint="fewer trees")
    return data


def _regression(model: Model, n_features: int) -> Any:
    from onnx import TensorProto, helper

    graph = _Graph()
    raw = graph.column(_converted(model.point, n_features, "point/"), "point/column")
    least = -np.inf if model.minimum is None else model.minimum
    graph.add("Max", [raw, graph.constant("minimum", least)], "point")
    names = ["point"]
    if (around := model.interval) is not None:
        names += ["low", "high"]
        raw = graph.column(_converted(around.error, n_features, "error/"), "error/column")
        graph.add("Max", [raw, graph.constant("error/least", around.least)], "error")
        graph.add("Mul", ["error", graph.constant("errors_below", around.below)], "below")
        graph.add("Mul", ["error", graph.constant("errors_above", around.above)], "above")
        graph.add("Sub", ["point", "below"], "lower")
        graph.add("Max", ["lower", "minimum"], "low")
        graph.add("Add", ["point", "above"], "high")
    return helper.make_graph(
        graph.nodes,
        "cabstand",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, n_features])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in names],
        graph.constants,
    )


class _Graph:
    """Nodes and constants of a graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: list[str], output: str) -> None:
        """Add a node."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output]))

    def constant(self, name: str, value: float) -> str:
        """Add a constant, float32, and return its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.float32(value), name))
        return name

    def column(self, exported: Any, name: str) -> str:
        """Add an exported estimator, and what makes one column of its answer where it is none yet; return its name."""
        from onnx import numpy_helper

        raw = self.take(exported)
        if len(exported.graph.output[0].type.tensor_type.shape.dim) == 2:
            return raw
        self.constants.append(numpy_helper.from_array(np.array([-1, 1], dtype=np.int64), f"{name}/shape"))
        self.add("Reshape", [raw, f"{name}/shape"], name)
        return name

    def take(self, exported: Any) -> str:
        """Add all of an exported estimator and return the name of its answer."""
        self.nodes += exported.graph.node
        self.constants += exported.graph.initializer
        return str(exported.graph.output[0].name)


def _converted(estimator: Any, n_features: int, prefix: str) -> Any:
    from onnx import compose

    if isinstance(estimator, CodedRidge):
        return coded_graph(estimator, n_features, prefix)
    if isinstance(estimator, RootBoosting):
        return _squared(estimator, n_features, prefix)
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    mended = _rounded_down(estimator)
    options = {id(mended): {"zipmap": False}} if hasattr(mended, "predict_proba") else None
    with _mended_converter():
        found = convert_sklearn(
            mended,
            initial_types=[("features", FloatTensorType([None, n_features]))],
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
            options=options,
        )
    return compose.add_prefix(found, prefix, rename_inputs=False)


def _squared(estimator: RootBoosting, n_features: int, prefix: str) -> Any:
    """Return the graph of the roots, and their square scaled."""
    from onnx import TensorProto, helper

    graph = _Graph()
    # Each node costs one row about as much as a tree does, so the scale goes into the leaves.
    root = graph.take(_converted(_times(estimator.root_, np.sqrt(estimator.scale_)), n_features, f"{prefix}root/"))
    last = f"{prefix}square"
    graph.add("Mul", [root, root], last)
    if estimator.floor_:
        last = f"{prefix}sum"
        graph.add("Add", [f"{prefix}square", graph.constant(f"{prefix}floor", estimator.floor_)], last)
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "squared",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, n_features])],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, [None, 1])],
            graph.constants,
        )
    )


def _times(boosting: Any, factor: float) -> Any:
    """Return the boosting whose answers are `factor` times those of the one given."""
    found = copy.deepcopy(boosting)
    found._baseline_prediction = found._baseline_prediction * factor
    for trees in found._predictors:
        for tree in trees:
            tree.nodes["value"] *= factor
    return found


def _rounded_down(estimator: Any) -> Any:
    """Return the estimator with its boosting thresholds as the largest float32 not above each.

    x <= t for a float32 x asks the same as x <= (t rounded down), and the file holds float32 alone.
    """
    if not hasattr(estimator, "_predictors"):
        return estimator
    if estimator.get_params().get("loss") in {"poisson", "gamma"}:
        raise ConfigError(f"loss {estimator.loss!r} converts to a wrong model", hint="use squared_error or quantile")
    if estimator.is_categorical_ is not None and np.any(estimator.is_categorical_):
        raise ConfigError("categorical_features convert to a wrong model", hint="give codes or learned means instead")
    mended = copy.deepcopy(estimator)
    for trees in mended._predictors:
        for tree in trees:
            tree.nodes["num_threshold"] = rounded_down(tree.nodes["num_threshold"])
    return mended


def rounded_down(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return each value as the largest float32 that is not above it (as float64)."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    above = near.astype(np.float64) > values
    near[above] = np.nextafter(near[above], np.float32(-np.inf))
    return near.astype(np.float64)


@contextmanager
def _mended_converter() -> Iterator[None]:
    """Let skl2onnx pass `nodes_missing_value_tracks_true` as the int that the format defines."""
    from skl2onnx.common import tree_ensemble
    from skl2onnx.operator_converters import gradient_boosting, random_forest

    original = tree_ensemble.add_node

    def add_node(*args: Any, **kwargs: Any) -> Any:
        original(*args, **kwargs)
        attributes = args[0] if args else kwargs["attr_pairs"]
        flags = attributes["nodes_missing_value_tracks_true"]
        flags[-1] = int(flags[-1])

    modules = [m for m in (tree_ensemble, gradient_boosting, random_forest) if hasattr(m, "add_node")]
    for module in modules:
        module.add_node = add_node
    try:
        yield
    finally:
        for module in modules:
            module.add_node = original


def check_parity(model: Model, answer: dict[str, npt.NDArray[Any]], matrix: FeatureMatrix, tolerance: float) -> float:
    """Return the largest difference between the file's answers and the estimator's on the same rows.

    Raises
    ------
    DataError
        If it is above `tolerance`, or a label differs where its probability is ahead by more than that.
    """
    expected = model.answer(matrix)
    worst = 0.0
    for name, values in expected.items():
        if name != "label":
            worst = max(worst, float(np.max(np.abs(values - answer[name].reshape(values.shape)), initial=0.0)))
    if not worst <= tolerance:
        raise DataError(f"the exported model is off by {worst:.3g}, more than {tolerance:.3g}", where=model.candidate)
    if "label" in expected:
        ordered = np.sort(expected["probability"], axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > tolerance
        if np.any((expected["label"] != answer["label"]) & clear):
            raise DataError("the exported model gives other labels", where=model.candidate)
    return worst

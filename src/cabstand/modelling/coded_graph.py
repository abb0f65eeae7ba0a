"""`CodedRidge` as an ONNX graph: a table look-up a coded column, and one product for the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from cabstand.modelling.coded import CodedRidge


def coded_graph(model: CodedRidge, n_features: int, prefix: str) -> Any:
    """Return an ONNX model that answers as `model.predict`, its inner names under `prefix`.

    A code outside the table goes to the table's last place, which holds 0: nothing is known of it.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: dict[str, Any] = {"intercept": np.float32(model.intercept_)}
    terms = ["intercept"]
    for number, (column, table) in enumerate(zip(model.coded, model.tables_, strict=True)):
        constants |= {
            f"column{number}": np.array(column, np.int64),
            f"table{number}": table.astype(np.float32),
            f"zero{number}": np.float32(0),
            f"last{number}": np.float32(len(table) - 1),
        }
        nodes += [
            _node("Gather", ["/features", f"column{number}"], f"picked{number}", prefix, axis=1),
            # Clipped before it becomes a whole number: a float too large for one has no defined cast.
            _node("Clip", [f"picked{number}", f"zero{number}", f"last{number}"], f"clipped{number}", prefix),
            _node("Cast", [f"clipped{number}"], f"code{number}", prefix, to=TensorProto.INT64),
            _node("Gather", [f"table{number}", f"code{number}"], f"term{number}", prefix),
        ]
        terms.append(f"term{number}")
    if model.numeric:
        constants |= _numbers(model)
        nodes += [
            _node("Gather", ["/features", "columns"], "numbers", prefix, axis=1),
            _node("IsNaN", ["numbers"], "missing", prefix),
            _node("Where", ["missing", "means", "numbers"], "known", prefix),
            _node("Sub", ["known", "means"], "centred", prefix),
            _node("MatMul", ["centred", "weights"], "product", prefix),
        ]
        terms.append("product")
    total = terms[0]
    for number, term in enumerate(terms[1:]):
        nodes.append(_node("Add", [total, term], f"sum{number}", prefix))
        total = f"sum{number}"
    graph = helper.make_graph(
        nodes,
        "coded",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, n_features])],
        [helper.make_tensor_value_info(prefix + total, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), prefix + name) for name, value in constants.items()],
    )
    return helper.make_model(graph)


def _numbers(model: CodedRidge) -> dict[str, Any]:
    return {
        "columns": np.array(model.numeric, np.int64),
        "means": model.mean_.astype(np.float32),
        "weights": (model.weights_ / model.scale_).astype(np.float32),
    }


def _node(kind: str, inputs: list[str], output: str, prefix: str, **attributes: Any) -> Any:
    from onnx import helper

    named = [name[1:] if name.startswith("/") else prefix + name for name in inputs]
    return helper.make_node(kind, named, [prefix + output], **attributes)

"""Build an ONNX graph node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper


class Graph:
    """A graph under construction, with one input: "features", float32 (n, k)."""

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

"""Export a fitted model as one ONNX file, and check that both give the same answers."""

from __future__ import annotations

import numpy as np

from cabstand.errors import ConfigError, DataError
from cabstand.modelling.bundle import MAX_BYTES, OPERATORS
from cabstand.modelling.fit import Model
from cabstand.modelling.measures import Answer


def to_onnx(model: Model, n_features: int) -> bytes:
    """Return one file: input "features" float32 (n, k), outputs as `Model.answer` names them.

    Raises ConfigError if the conversion is known to be wrong, needs a forbidden operator or gives too large a file.
    """
    from onnx import checker, helper

    from cabstand.modelling.convert import OPSETS, to_graph

    where = f"candidate {model.candidate}"
    exported = helper.make_model(
        to_graph(model, n_features),
        opset_imports=[helper.make_opsetid(*opset) for opset in OPSETS.items()],
        ir_version=8,
        producer_name="cabstand",
    )
    checker.check_model(exported)
    if other := sorted({node.op_type for node in exported.graph.node} - OPERATORS):
        raise ConfigError(f"needs the operators {', '.join(other)}", where=where)
    data = bytes(exported.SerializeToString(deterministic=True))
    if len(data) > MAX_BYTES:
        raise ConfigError(f"the exported model is {len(data) >> 20} MiB", where=where, hint="use fewer trees")
    return data


def check_parity(model: Model, answer: Answer, expected: Answer, tolerance: float) -> float:
    """Return the largest difference between the file's answers and the estimator's, which are `expected`.

    Raises DataError if it is above `tolerance`, or a label differs although its probability leads by more than that.
    """
    numbers = {name: values for name, values in expected.items() if name != "label"}
    worst = float(np.max([abs(values - answer[name].reshape(values.shape)).max() for name, values in numbers.items()]))
    if not worst <= tolerance:
        raise DataError(f"the exported model is off by {worst:.3g}, more than {tolerance:.3g}", where=model.candidate)
    if "label" in expected:
        ordered = np.sort(expected["probability"], axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > tolerance
        if np.any((expected["label"] != answer["label"]) & clear):
            raise DataError("the exported model gives other labels", where=model.candidate)
    return worst

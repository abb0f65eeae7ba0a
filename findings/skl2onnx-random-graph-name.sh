#!/usr/bin/env bash
# skl2onnx 1.20.0 (scikit-learn 1.9.1, onnx 1.23.2): convert_sklearn gives the graph a random name.
#
# Seen: converting one fitted LogisticRegression twice gives different bytes, which differ in graph.name alone; with the
# argument `name`, and with to_onnx, which names the graph after the estimator, both conversions are equal.
#
# Why it matters: a model file that is stored or compared by its hash changes with each export of the same model. cabstand
# sets graph.name itself after each conversion.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check skl2onnx==1.20.0 scikit-learn==1.9.1 onnx==1.23.2

"$work/venv/bin/python" - <<'PYTHON'
import sys

from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

flowers, kinds = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=1000).fit(flowers, kinds)
inputs = [("flowers", FloatTensorType([None, 4]))]


def equal(what, convert):
    """Convert the model twice; return whether the bytes are equal, as they are and under one name."""
    one, other = convert(), convert()
    as_is = one.SerializeToString() == other.SerializeToString()
    other.graph.name = one.graph.name
    renamed = one.SerializeToString() == other.SerializeToString()
    print(f"{what}: equal bytes {as_is}, equal bytes under one graph name {renamed}")
    return as_is, renamed


seen = [
    equal("convert_sklearn without a name", lambda: convert_sklearn(model, initial_types=inputs)),
    equal("convert_sklearn with a name", lambda: convert_sklearn(model, "iris", initial_types=inputs)),
    equal("to_onnx", lambda: to_onnx(model, initial_types=inputs)),
]
expected = [(False, True), (True, True), (True, True)]
sys.exit(0 if seen == expected else f"The behaviour changed: expected {expected}.")
PYTHON
echo "Still so: a graph without a name gets a random one."

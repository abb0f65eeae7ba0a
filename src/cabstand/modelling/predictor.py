"""Predict with a bundle: NumPy for the features, ONNX Runtime for the model; nothing is unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.modelling.bundle import ASSETS, MODEL, Manifest, check_file, unpack_arrays
from cabstand.modelling.problem import Assets, Columns, FeatureMatrix, Problem

BATCH_ROWS = 1_000  # the model gets at most so many rows at once: what a bundle was proved with (see `proof`)


class Predictor:
    """A bundle's model, ready to predict with the problem's feature function.

    `files` holds model.onnx, and assets.npz where the manifest names it. Raises DataError if a file or the problem's
    features do not match the manifest.
    """

    def __init__(self, problem: Problem, manifest: Manifest, files: Mapping[str, bytes]) -> None:
        check_same_features(problem, manifest)
        self.problem = problem
        self.manifest = manifest
        self.assets: Assets = {}
        if ASSETS in manifest.files:
            self.assets = unpack_arrays(check_file(manifest, ASSETS, files[ASSETS]))
        if problem.prepare is not None:
            self.assets = problem.prepare(self.assets)
        where = f"{manifest.problem} {manifest.version} {MODEL}"
        model = check_file(manifest, MODEL, files[MODEL])
        self._outputs = list(manifest.outputs)
        self.session = open_session(model, where, manifest.n_features, manifest.outputs)

    def predict(self, columns: Columns) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs by name: `point`, `low`, `high` float32 (n,); or `label` (n,), `probability` (n, c)."""
        return self.answer(self.problem.matrix(columns, self.assets))

    def answer(self, matrix: FeatureMatrix) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs by name for a feature matrix (n, k)."""
        if len(matrix) <= BATCH_ROWS:
            return self._batch(matrix)
        parts = [self._batch(matrix[first : first + BATCH_ROWS]) for first in range(0, len(matrix), BATCH_ROWS)]
        return {name: np.concatenate([part[name] for part in parts]) for name in self._outputs}

    def _batch(self, matrix: FeatureMatrix) -> dict[str, npt.NDArray[Any]]:
        found = self.session.run(self._outputs, {"features": matrix})
        return {
            name: values if name == "probability" else values.reshape(-1)
            for name, values in zip(self._outputs, found, strict=True)
        }


def check_same_features(problem: Problem, manifest: Manifest) -> None:
    """Raise a DataError unless the problem makes the features that the bundle's model was trained on."""
    where = f"{manifest.problem} {manifest.version}"
    if problem.name != manifest.problem:
        raise DataError(f"bundle is for {manifest.problem}, not {problem.name}", where=where)
    ours = (problem.feature_version, problem.feature_names, problem.outputs)
    theirs = (manifest.feature_version, manifest.feature_names, manifest.outputs)
    if ours != theirs:
        raise DataError(
            "made for other features or outputs", where=where, hint="train it again with this version of cabstand"
        )


def open_session(model: bytes, where: str, n_features: int, outputs: tuple[str, ...]) -> Any:
    """Return an ONNX Runtime session of one thread for a model given as bytes, its inputs and outputs checked.

    One thread, because the models are small, and spinning threads cost other requests more than this one gains.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Memory plans and pools are for large tensors; they cost a single row more than they save a thousand.
    options.enable_mem_pattern = options.enable_cpu_mem_arena = False
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen exception classes without a common base
        raise DataError(f"not a model: {str(error)[:120]}", where=where) from error
    inputs = [(one.name, one.type, one.shape[-1]) for one in session.get_inputs()]
    if inputs != [("features", "tensor(float)", n_features)]:
        raise DataError(f"takes {inputs[:3]}, not {n_features} features", where=where)
    if missing := set(outputs) - {one.name for one in session.get_outputs()}:
        raise DataError(f"has no output {sorted(missing)[0]}", where=where)
    return session

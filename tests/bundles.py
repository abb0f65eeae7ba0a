"""Small valid bundles, made without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cabstand.io import storage
from cabstand.modelling import bundle, catalog, pointer
from cabstand.modelling.problem import Problem


def linear_model(problem: Problem, bias: float = 10.0) -> bytes:
    """Return an ONNX model of the problem: `bias` plus a hundredth of the sum of a row's features, NaN counted as 0."""
    from onnx import TensorProto, checker, helper, numpy_helper

    k, n_classes = len(problem.feature_names), max(2, len(problem.target.classes))
    weight = np.full((k, 1), 0.01, np.float32)
    nodes = [
        helper.make_node("IsNaN", ["features"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "features"], ["known"]),
        helper.make_node("MatMul", ["known", "weight"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["score"]),
    ]
    constants = {"zero": np.float32(0), "weight": weight, "bias": np.float32(bias), "width": np.float32(5)}
    if problem.task == "classification":
        constants |= {
            "classes": np.linspace(-1, 1, n_classes, dtype=np.float32)[None],
            "flat": np.array([-1], np.int64),
        }
        nodes += [
            helper.make_node("MatMul", ["score", "classes"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probability"], axis=1),
            helper.make_node("ArgMax", ["probability"], ["label"], axis=1, keepdims=0),
        ]
        outputs = [("label", TensorProto.INT64, [None]), ("probability", TensorProto.FLOAT, [None, n_classes])]
    else:
        nodes += [
            helper.make_node("Identity", ["score"], ["point"]),
            helper.make_node("Sub", ["score", "width"], ["low"]),
            helper.make_node("Add", ["score", "width"], ["high"]),
        ]
        outputs = [(name, TensorProto.FLOAT, [None, 1]) for name in problem.outputs]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, k])],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    checker.check_model(model)
    return bytes(model.SerializeToString())


def small_assets(problem: Problem) -> dict[str, Any]:
    """Return the assets that the problem's feature function needs."""
    if not problem.name.startswith("trip-duration"):
        return {}
    rng = np.random.default_rng(0)
    return {
        "zone_lat": np.round(rng.uniform(40.55, 40.9, 266), 4),
        "zone_lon": np.round(rng.uniform(-74.1, -73.75, 266), 4),
        "pair_min": np.full((266, 266), 14, np.float32),
    }


def small_bundle(
    artifacts: str | Path,
    name: str = "trip-duration",
    version: str = "v1",
    *,
    bias: float = 10.0,
    extra: Mapping[str, bytes] | None = None,
    training: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    run_id: str = "",
) -> bundle.Manifest:
    """Publish a bundle of `version`, with the files of `extra` (`hotspots.npz`) besides; return its manifest."""
    problem = catalog.find(name)
    files = {bundle.MODEL: linear_model(problem, bias)} | dict(extra or {})
    if assets := small_assets(problem):
        files[bundle.ASSETS] = bundle.pack_arrays(assets)
    manifest = bundle.Manifest(
        problem=problem.name,
        version=version,
        task=problem.task,
        candidate="small",
        fields=problem.fields,
        feature_version=problem.feature_version,
        feature_names=problem.feature_names,
        outputs=problem.outputs,
        target=asdict(problem.target),
        tolerance=1e-4,
        files={key: bundle.file_of(data) for key, data in files.items()},
        metrics={problem.metric: 1.0},
        training=training or {},
        data=data or {},
        run_id=run_id,
        created="2023-04-01T00:00:00Z",
    )
    base = storage.join(str(artifacts), problem.name, "bundles", version)
    for key, content in files.items():
        storage.write(storage.join(base, key), content)
    storage.write(storage.join(base, bundle.MANIFEST), manifest.to_bytes())
    return manifest


def point(artifacts: str | Path, name: str = "trip-duration", champion: str = "v1", **changes: Any) -> pointer.Pointer:
    """Write the problem's pointer unconditionally, with the next sequence number, and return it."""
    uri = storage.join(str(artifacts), name, pointer.POINTER)
    sequence = pointer.parse_pointer(storage.read(uri)).sequence if storage.exists(uri) else 0
    written = pointer.Pointer(name, sequence + 1, f"w{sequence + 1}", champion, **changes)
    storage.write(uri, written.to_bytes())
    return written


def holdout(artifacts: str | Path, name: str = "housing", n: int = 600) -> dict[str, Any]:
    """Write a holdout of what `small_bundle(bias=10)` answers, plus noise; return a manifest's `training`."""
    from cabstand.io import bundles
    from cabstand.modelling.problem import Examples

    problem = catalog.find(name)
    rng = np.random.default_rng(0)
    columns = {}
    for one in problem.fields:
        low, high = one.minimum or 0, one.maximum or 1
        columns[one.name] = np.round(rng.uniform(low, min(high, low + 50), n), 2)
    truth = np.asarray(problem.features(columns, {}).sum(axis=1) * 0.01 + 10 + rng.normal(0, 0.5, n), np.float64)
    rows = Examples(columns, truth, segments={"region": np.where(np.arange(n) % 2, "a", "b")})
    sha256 = bundles.write_holdout(str(artifacts), name, rows)
    return {"holdout": {"sha256": sha256, "rows": n}, "constant": float(truth.mean()) + 2}

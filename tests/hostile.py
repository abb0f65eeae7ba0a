"""Bundles that must be refused, by kind: each exceeds a bound by little, and none harms what loads it."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from bundles import linear_model, small_assets
from cabstand.clustering.core_index import CoreIndex
from cabstand.modelling import bundle, catalog
from cabstand.modelling.onnx_trees import MAX_DEPTH, MAX_STEPS, MAX_TARGETS
from serving import hotspots_file

PROBLEM = catalog.find("trip-duration")
WIDTH = len(PROBLEM.feature_names)
Spoil = Callable[[Path], Any]  # changes version v2 of trip-duration below the artifacts


def folder(artifacts: Path, version: str = "v2") -> Path:
    return artifacts / PROBLEM.name / "bundles" / version


def rewrite(artifacts: Path, name: str, data: bytes, *, hashed: bool = True, version: str = "v2") -> None:
    """Put other bytes into the bundle, and make its manifest agree unless `hashed` is false."""
    (folder(artifacts, version) / name).write_bytes(data)
    if hashed:
        manifest = bundle.parse_manifest((folder(artifacts, version) / "manifest.json").read_bytes())
        declare(artifacts, version, files=dict(manifest.files) | {name: bundle.file_of(data)})


def declare(artifacts: Path, version: str = "v2", **changes: Any) -> None:
    """Change what the manifest declares."""
    path = folder(artifacts, version) / "manifest.json"
    path.write_bytes(replace(bundle.parse_manifest(path.read_bytes()), **changes).to_bytes())


def write_manifest(artifacts: Path, data: bytes) -> None:
    (folder(artifacts) / "manifest.json").write_bytes(data)


def edit_manifest(artifacts: Path, **changes: Any) -> None:
    """Change the manifest's JSON itself."""
    path = folder(artifacts) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_field(artifacts: Path, **changes: Any) -> None:
    path = folder(artifacts) / "manifest.json"
    fields = json.loads(path.read_text())["fields"]
    edit_manifest(artifacts, fields=[fields[0] | changes, *fields[1:]])


# --- models


def model(nodes: Sequence[Any], constants: dict[str, Any] | None = None, **more: Any) -> bytes:
    """Return a model: these nodes make "made", and whatever of point, low and high they do not make is 10, 5, 15."""
    from onnx import TensorProto, helper, numpy_helper

    held = {"zero": np.zeros((WIDTH, 1), np.float32), "seven": np.float32(7), "gap": np.float32(0)} | (constants or {})
    held |= {name: np.float32(value) for name, value in (("at_point", 10), ("at_low", 5), ("at_high", 15))}
    made = {name for one in nodes for name in one.output}
    all_nodes = [
        node("IsNaN", ["features"], "missing"),
        node("Where", ["missing", "gap", "features"], "known"),
        node("MatMul", ["known", "zero"], "none"),
        *nodes,
    ]
    for name in PROBLEM.outputs:
        if name not in made:
            all_nodes.append(node("Add", ["none", f"at_{name}"], name))
    kinds = more.pop("kinds", {})
    graph = helper.make_graph(
        all_nodes,
        "hostile",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, WIDTH])],
        [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None) for name in PROBLEM.outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8, **more).SerializeToString())


def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, [output], **attributes)


def trees(*, depth: int = 1, n_trees: int = 1, n_targets: int = 1, **changes: Any) -> bytes:
    """Return a model of trees that are chains; `changes` replace attributes."""
    from onnx import helper

    n = 2 * depth + 1  # node 2i branches to the leaf 2i + 1 and on to 2i + 2
    ids = np.arange(n)
    is_leaf = (ids % 2 == 1) | (ids == n - 1)
    leaves = ids[is_leaf]

    def all_trees(values: Any) -> list[Any]:
        return np.tile(np.asarray(values), n_trees).tolist()

    attributes: dict[str, Any] = {
        "n_targets": n_targets,
        "nodes_treeids": np.repeat(np.arange(n_trees), n).tolist(),
        "nodes_nodeids": all_trees(ids),
        "nodes_featureids": all_trees(np.zeros(n, int)),
        "nodes_truenodeids": all_trees(np.where(is_leaf, 0, ids + 1)),
        "nodes_falsenodeids": all_trees(np.where(is_leaf, 0, ids + 2)),
        "nodes_modes": all_trees(np.where(is_leaf, "LEAF", "BRANCH_LEQ")),
        "nodes_values": all_trees(np.ones(n)),
        "target_treeids": np.repeat(np.arange(n_trees), len(leaves)).tolist(),
        "target_nodeids": all_trees(leaves),
        "target_ids": all_trees(np.zeros(len(leaves), int)),
        "target_weights": all_trees(np.ones(len(leaves))),
    }
    found = helper.make_node("TreeEnsembleRegressor", ["features"], ["made"], domain="ai.onnx.ml")
    found.attribute.extend(helper.make_attribute(name, value) for name, value in (attributes | changes).items())
    return model([found])


def linear(**attributes: Any) -> bytes:
    from onnx import helper

    return model([helper.make_node("LinearRegressor", ["known"], ["made"], domain="ai.onnx.ml", **attributes)])


def with_external_data() -> bytes:
    import onnx

    found = onnx.load_from_string(linear_model(PROBLEM))
    tensor = found.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return bytes(found.SerializeToString())


def with_sparse_data() -> bytes:
    import onnx

    found = onnx.load_from_string(linear_model(PROBLEM))
    found.graph.sparse_initializer.add(dims=[4])
    return bytes(found.SerializeToString())


def with_function() -> bytes:
    from onnx import helper

    body = [helper.make_node("Identity", ["x"], ["y"])]
    function = helper.make_function("local", "Same", ["x"], ["y"], body, [helper.make_opsetid("", 17)])
    return model([], functions=[function])


def with_subgraph() -> bytes:
    from onnx import helper

    body = helper.make_graph([], "body", [], [])
    return model([node("Identity", ["features"], "made", then_branch=body)])


def declaring_too_much() -> bytes:
    """A constant that declares one number more than it has."""
    from onnx import load_from_string

    found = load_from_string(model([]))
    [zero] = [one for one in found.graph.initializer if one.name == "zero"]
    zero.dims[0] += 1
    return bytes(found.SerializeToString())


def doubled(times: int) -> bytes:
    """Columns side by side with themselves, again and again."""
    steps = [node("Concat", [f"x{i}", f"x{i}"], f"x{i + 1}", axis=1) for i in range(times)]
    return model([node("Identity", ["features"], "x0"), *steps, shrunk(f"x{times}")], _one(WIDTH << times))


def wide() -> bytes:
    """A row of 60,000 columns: 240 MB for the largest batch."""
    widened = node("MatMul", ["features", "widen"], "wide")
    return model([widened, shrunk("wide")], _one(60_000) | {"widen": np.zeros((WIDTH, 60_000), np.float32)})


def slow() -> bytes:
    """Products of matrices, some seconds of them for the largest batch."""
    size = 1_024
    steps = [node("MatMul", [f"x{i}", "square"], f"x{i + 1}") for i in range(200)]
    constants = _one(size) | {"widen": np.ones((WIDTH, size), np.float32), "square": np.eye(size, dtype=np.float32)}
    return model([node("MatMul", ["features", "widen"], "x0"), *steps, shrunk("x200")], constants)


def shrunk(name: str) -> Any:
    """One column that is used, so that nothing before it is left out."""
    return node("MatMul", [name, "shrink"], "low")


def _one(width: int) -> dict[str, Any]:
    return {"shrink": np.zeros((width, 1), np.float32)}


def cast(to: str) -> bytes:
    from onnx import TensorProto

    kind = getattr(TensorProto, to)
    return model(
        [node("MatMul", ["features", "zero"], "made"), node("Cast", ["made"], "point", to=kind)], kinds={"point": kind}
    )


def point_of(*nodes: Any, **constants: Any) -> bytes:
    return model(nodes, constants)


def onnx_bomb() -> bytes:
    """A hundred bytes that ask for two gigabytes, by an operator that is not on the list."""
    from onnx import TensorProto, helper

    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [1 << 29])
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["point"])]
    outputs = [helper.make_tensor_value_info("point", TensorProto.FLOAT, [None])]
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 13])]
    return bytes(helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, [shape])).SerializeToString())


# --- arrays


@cache
def npz_bomb() -> bytes:
    """A third of a megabyte that unpacks to more than a bundle's file may be."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("pair_min.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": (80 << 20,)})
        for _ in range(80):
            member.write(bytes(4 << 20))
    return packed.getvalue()


def npz(*arrays: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, data in arrays:
            archive.writestr(f"{name}.npy", data)
    return packed.getvalue()


def npy(descr: str, shape: tuple[int, ...], data: bytes = b"") -> bytes:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": descr, "fortran_order": False, "shape": shape})
    return member.getvalue() + data


def with_pickle() -> bytes:
    """An npz whose array would be unpickled."""
    packed = io.BytesIO()
    np.savez(packed, pair_min=np.array([Path("x")], dtype=object), allow_pickle=True)
    return packed.getvalue()


def assets(**changes: Any) -> bytes:
    return bundle.pack_arrays(small_assets(PROBLEM) | changes)


def hotspots(points: Any, clusters: Any, **changes: Any) -> bytes:
    """Return an index whose arrays are changed after it was made."""
    from cabstand.clustering import npz as arrays

    made = {"schema_version": np.int64(1), "metric": np.int64(0), "eps_m": np.float64(100)}
    made |= {"points": np.asarray(points, np.float64), "clusters": np.asarray(clusters, np.int32)} | changes
    file = io.BytesIO()
    arrays.write(file, {name: np.asarray(value) for name, value in made.items()})
    CoreIndex.load(hotspots_file())  # what is well is read
    return file.getvalue()


def _model(make: Callable[..., bytes], *given: Any, **more: Any) -> Spoil:
    return lambda artifacts: rewrite(artifacts, "model.onnx", make(*given, **more))


def _assets(make: Callable[..., bytes], *given: Any, **more: Any) -> Spoil:
    return lambda artifacts: rewrite(artifacts, "assets.npz", make(*given, **more))


def _hotspots(make: Callable[..., bytes], *given: Any, **more: Any) -> Spoil:
    return lambda artifacts: rewrite(artifacts, "hotspots.npz", make(*given, **more))


def _cut(artifacts: Path) -> None:
    rewrite(artifacts, "model.onnx", linear_model(PROBLEM)[:100])


FILES: dict[str, Spoil] = {
    "model cut short": _cut,
    "wrong hash": lambda a: rewrite(a, "model.onnx", b"x" * 500, hashed=False),
    "wrong size": lambda a: rewrite(a, "model.onnx", linear_model(PROBLEM) + b"x", hashed=False),
    "not onnx": _model(lambda: b"x" * 500),
    "no model": lambda a: (folder(a) / "model.onnx").unlink(),
    "no assets": lambda a: (folder(a) / "assets.npz").unlink(),
    "other problem's model": lambda a: rewrite(a, "model.onnx", linear_model(catalog.find("iris"))),
}
MODELS: dict[str, Spoil] = {
    "operator that is not on the list": _model(onnx_bomb),
    "external data": _model(with_external_data),
    "sparse data": _model(with_sparse_data),
    "function": _model(with_function),
    "subgraph": _model(with_subgraph),
    "constant that declares more than it has": _model(declaring_too_much),
    "shape taken from the row": _model(
        lambda: point_of(node("Cast", ["known"], "shape", to=7), node("Reshape", ["known", "shape"], "made"))
    ),
    "deep tree": _model(trees, depth=MAX_DEPTH + 1),
    "many deep trees": _model(trees, depth=MAX_DEPTH - 1, n_trees=MAX_STEPS // MAX_DEPTH + 2),
    "many targets": _model(trees, n_targets=MAX_TARGETS + 1),
    "no target": _model(trees, n_targets=0),
    "feature that does not exist": _model(trees, nodes_featureids=[WIDTH, 0, 0]),
    "feature before the first": _model(trees, nodes_featureids=[-1, 0, 0]),
    "target that does not exist": _model(trees, target_ids=[0, 1]),
    "leaf that does not exist": _model(trees, target_nodeids=[1, 3]),
    "child that does not exist": _model(trees, nodes_falsenodeids=[3, 0, 0]),
    "node listed twice": _model(trees, nodes_nodeids=[0, 1, 1]),
    "node with two parents": _model(trees, nodes_falsenodeids=[1, 0, 0]),
    "node that is its own child": _model(trees, nodes_falsenodeids=[0, 0, 0]),
    "tree with lists of different lengths": _model(trees, nodes_values=[1.0, 1.0]),
    "linear model with a coefficient too few": _model(linear, coefficients=[0.0] * (WIDTH - 1), intercepts=[0.0]),
    "linear model with many targets": _model(linear, coefficients=[0.0], targets=MAX_TARGETS + 1),
}
TAKES: dict[str, Spoil] = {
    "wide intermediate": _model(wide),
    "columns doubled again and again": _model(doubled, 13),
    "slow": _model(slow),
    "npz that unpacks to too much": _assets(npz_bomb),
    "hotspots that unpack to too much": _hotspots(npz_bomb),
    "large files": lambda a: rewrite(a, "model.onnx", bytes(97 << 20)),
}
ANSWERS: dict[str, Spoil] = {
    "batch of one alone": _model(
        lambda: point_of(
            node("MatMul", ["known", "zero"], "made"),
            node("Reshape", ["made", "single"], "point"),
            single=np.array([1, 1], np.int64),
        )
    ),
    "answers that depend on the batch": _model(
        lambda: point_of(
            node("MatMul", ["known", "zero"], "made"),
            node("Softmax", ["made"], "share", axis=0),
            node("Add", ["share", "seven"], "point"),
        )
    ),
    "whole numbers": _model(cast, "INT64"),
    "texts": _model(cast, "STRING"),
    "two columns": _model(
        lambda: point_of(node("Add", ["none", "seven"], "made"), node("Concat", ["made", "made"], "point", axis=1))
    ),
    "no numbers": _model(
        lambda: point_of(node("MatMul", ["known", "zero"], "made"), node("Div", ["made", "made"], "point"))
    ),
    "below the least": lambda a: rewrite(a, "model.onnx", linear_model(PROBLEM, -1_000.0)),
    "low above the point": _model(
        lambda: point_of(node("MatMul", ["known", "zero"], "made"), node("Add", ["made", "at_high"], "low"))
    ),
    "high below the point": _model(
        lambda: point_of(node("MatMul", ["known", "zero"], "made"), node("Add", ["made", "at_low"], "high"))
    ),
    "no interval": lambda a: rewrite(a, "model.onnx", linear_model(catalog.find("housing"))),
}
ARRAYS: dict[str, Spoil] = {
    "broken assets": lambda a: rewrite(a, "assets.npz", b"PK" + b"x" * 300),
    "assets of no use": lambda a: rewrite(a, "assets.npz", bundle.pack_arrays({})),
    "assets that are too small": _assets(assets, pair_min=np.zeros((200, 200), np.float32)),
    "assets that are no numbers": _assets(assets, pair_min=np.full((266, 266), "x")),
    "assets with a pickle": _assets(with_pickle),
    "array that declares more than it has": _assets(lambda: npz(("pair_min", npy("<f4", (266, 266), bytes(4))))),
    "array of nothings": _assets(lambda: npz(("pair_min", npy("|V0", (1_000,))))),
    "many arrays": _assets(lambda: npz(*((f"a{i}", npy("<f4", (1,), bytes(4))) for i in range(101)))),
    "compressed in another way": _assets(
        lambda: npz(("pair_min", npy("<f4", (1,), bytes(4))), compression=zipfile.ZIP_BZIP2)
    ),
    "broken hotspots": lambda a: rewrite(a, "hotspots.npz", hotspots_file()[:-50]),
    "hotspots out of order": _hotspots(hotspots, [[41, -73], [40, -74]], [0, 0]),
    "hotspots beyond a pole": _hotspots(hotspots, [[91, -73]], [0]),
    "hotspots without a cluster": _hotspots(hotspots, [[40, -73]], [-1]),
    "hotspots of no extent": _hotspots(hotspots, [[40, -73]], [0], eps_m=np.float64("nan")),
    "hotspots of a newer version": _hotspots(hotspots, [[40, -73]], [0], schema_version=np.int64(9)),
}
MANIFESTS: dict[str, Spoil] = {
    "broken manifest": lambda a: write_manifest(a, b"{"),
    "deep manifest": lambda a: write_manifest(a, b'{"a":' * 200_000),
    "large manifest": lambda a: write_manifest(a, b"[" + b"0," * (8 << 20) + b"0]"),
    "manifest of many lists": lambda a: write_manifest(a, b'{"a":[' + b"[]," * (5 << 20) + b"[]]}"),
    "another bundle's manifest": lambda a: shutil.copy(folder(a).with_name("v1") / "manifest.json", folder(a)),
    "no manifest": lambda a: (folder(a) / "manifest.json").unlink(),
    "other features": partial(declare, feature_version=99),
    "other task": partial(declare, task="classification"),
    "other target": partial(declare, target={"name": "x", "classes": []}),
    "classes": partial(declare, target={"name": "duration_min", "classes": ["a", "b"]}),
    "no fields": partial(declare, fields=()),
    "a field more": lambda a: declare(a, fields=(*PROBLEM.fields, replace(PROBLEM.fields[0], name="more"))),
    "wider bounds": partial(edit_field, maximum=10**9),
    "no bounds": partial(edit_field, maximum=None),
    "bounds that are no numbers": partial(edit_field, maximum="many"),
    "other kind": partial(edit_field, kind="number"),
    "example out of bounds": partial(edit_field, example=0),
    "file elsewhere": partial(edit_manifest, files={"../x": {"sha256": "0", "size": 1}}),
    "negative size": partial(edit_manifest, files={"model.onnx": {"sha256": "0", "size": -1}}),
    "huge size": partial(edit_manifest, files={"model.onnx": {"sha256": "0", "size": 10**15}}),
    "newer schema": partial(edit_manifest, schema_version=2),
}
KINDS = FILES | MODELS | TAKES | ANSWERS | ARRAYS | MANIFESTS

"""Proofs of bundles: classifiers, own problems, records, and what a proof never does."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import holdout, point, small_bundle
from cabstand.errors import DataError, StorageError, TaskError
from cabstand.io import storage
from cabstand.io.proving import bundles as proved
from cabstand.io.proving import parent
from cabstand.jobs import models_predict, promote, rollback
from cabstand.modelling import bundle, catalog
from cabstand.settings import Settings

IRIS = catalog.find("iris")


def classifier(label: Any, probability: Any) -> bytes:
    """Return a model of irises that answers every row with this label and these probabilities."""
    from onnx import TensorProto, helper, numpy_helper

    held = {"zero": np.zeros((4, 1), np.float32), "label_": np.int64(label), "shares": np.float32([probability])}
    nodes = [
        helper.make_node("MatMul", ["features", "zero"], ["none"]),
        helper.make_node("Add", ["none", "shares"], ["probability"]),
        helper.make_node("ArgMax", ["none"], ["first"], axis=1, keepdims=0),
        helper.make_node("Add", ["first", "label_"], ["label"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 4])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, len(probability)]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def with_model(artifacts: Path, model: bytes) -> None:
    base = artifacts / "iris" / "bundles" / "v1"
    manifest = bundle.parse_manifest((base / "manifest.json").read_bytes())
    (base / "model.onnx").write_bytes(model)
    (base / "manifest.json").write_bytes(replace(manifest, files={"model.onnx": bundle.file_of(model)}).to_bytes())


@pytest.mark.parametrize(
    ("label", "probability", "why"),
    [
        (0, (0.5, 0.25, 0.25), ""),
        (3, (0.5, 0.25, 0.25), "class that does not exist"),
        (-1, (0.5, 0.25, 0.25), "class that does not exist"),
        (0, (0.5, 0.5), "with probability"),
        (0, (0.5, 0.5, 0.5), "out of range"),
        (0, (1.5, -0.25, -0.25), "out of range"),
        (0, (float("nan"), 0.5, 0.5), "out of range"),
    ],
)
def test_a_classifier_answers_with_its_classes(tmp_path: Path, label: int, probability: Any, why: str) -> None:
    small_bundle(tmp_path, "iris", proved=False)
    with_model(tmp_path, classifier(label, probability))
    if not why:
        assert proved.read(str(tmp_path), IRIS, "v1", 64).manifest.version == "v1"
        return
    with pytest.raises(DataError, match=why):
        proved.read(str(tmp_path), IRIS, "v1", 64)


OWN = """
import numpy as np
from cabstand.modelling.problem import Field, Problem, Target

FIELDS = (
    Field("colour", "category", "", None, None, "Colour.", choices=("red", "green"), example="red"),
    Field("size_m", "number", "m", None, None, "Size.", optional=True, example=1.0),
    Field("seen_at", "timestamp", "", None, None, "When.", example="2023-03-01T08:15:00"),
)

def features(columns, assets):
    red = columns["colour"] == "red"
    hour = (columns["seen_at"] - columns["seen_at"].astype("M8[D]")).astype(float) / 3600
    print("a feature function may print")
    return np.stack([red, np.nan_to_num(columns["size_m"]), hour], axis=1).astype(np.float32)

PROBLEM = Problem("own", "regression", "Own.", FIELDS, Target("worth", "USD", "Worth."), ("red", "size_m", "hour"),
                  features, None, None, "mae")
"""


def test_a_problem_of_a_file_is_found_by_the_other_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").write_text(OWN)
    problem = catalog.find(str(tmp_path / "own.py"))
    monkeypatch.setitem(catalog.BUILT_IN, "own", "nowhere:PROBLEM")  # found by its file, not by its name
    monkeypatch.setattr(catalog, "find", lambda _: problem)
    small_bundle(tmp_path, "own", proved=False)
    assert proved.read(str(tmp_path), problem, "v1", 64).manifest.problem == "own"


def test_a_record_holds_for_these_very_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_bundle(tmp_path, "iris")

    def never(*_: object) -> None:
        raise AssertionError("proved before")

    with monkeypatch.context() as patch:
        patch.setattr(parent, "prove", never)
        proved.read(str(tmp_path), IRIS, "v1", 64)
        with_model(tmp_path, classifier(0, (0.5, 0.25, 0.25)))
        with pytest.raises(AssertionError, match="before"):
            proved.read(str(tmp_path), IRIS, "v1", 64)
    (tmp_path / "iris" / "proofs" / "v1.json").write_bytes(b"[" * 3_000)
    proved.read(str(tmp_path), IRIS, "v1", 64)


def zeros(mib: int) -> dict[str, bytes]:
    """Return assets that unpack to so much."""
    packed = io.BytesIO()
    np.savez_compressed(packed, more=np.zeros(mib << 17))
    return {"assets.npz": packed.getvalue()}


def test_the_bound_of_memory_is_kept(tmp_path: Path) -> None:
    """A quarter of a bundle's memory more than it may take, and a bundle that may take it."""
    small_bundle(tmp_path, "iris", proved=False, extra=zeros(80))
    with pytest.raises(DataError, match="needs more than 64 MiB of memory"):
        proved.read(str(tmp_path), IRIS, "v1", 64)
    assert proved.read(str(tmp_path), IRIS, "v1", 256)


def test_the_other_process_has_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, str]] = []
    popen: Callable[..., Any] = subprocess.Popen

    def watched(*args: Any, **kwargs: Any) -> Any:
        started.append(kwargs["env"])
        return popen(*args, **kwargs)

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")
    monkeypatch.setenv("CABSTAND_API_KEY", "planted")
    monkeypatch.setattr(subprocess, "Popen", watched)
    small_bundle(tmp_path, "iris", proved=False)
    proved.read(str(tmp_path), IRIS, "v1", 64)
    [env] = started
    assert "planted" not in env.values()


def test_a_store_that_fails_meanwhile_is_no_fault_of_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_bundle(tmp_path, "iris", proved=False)
    read = storage.read

    def down(uri: str, at_most: int | None = None) -> bytes:
        if uri.endswith("model.onnx"):
            raise StorageError("down")
        return read(uri, at_most)

    monkeypatch.setattr(storage, "read", down)
    with pytest.raises(StorageError, match="down"):
        proved.read(str(tmp_path), IRIS, "v1", 64)


def test_a_process_that_cannot_start_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_bundle(tmp_path, "iris", proved=False)
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))
    with pytest.raises(TaskError, match="no process can be started"):
        proved.read(str(tmp_path), IRIS, "v1", 64)
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(TaskError, match="failed to start"):
        proved.read(str(tmp_path), IRIS, "v1", 64)


# --- the jobs


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def proofs(settings: Settings) -> set[str]:
    uris = storage.list_under(storage.join(settings.artifacts_uri, "housing", "proofs"))
    return {uri.rpartition("/")[2] for uri in uris}


def test_a_promotion_proves_and_records_before_the_pointer(settings: Settings) -> None:
    small_bundle(settings.artifacts_uri, "housing", training=holdout(settings.artifacts_uri), proved=False)
    dry = promote.Params("housing", "v1", track=False, dry_run=True)
    assert promote.run(settings, dry)["decision"] == "promoted"
    assert proofs(settings) == set()
    assert promote.run(settings, replace(dry, dry_run=False))["decision"] == "promoted"
    assert proofs(settings) == {"v1.json"}


@pytest.mark.parametrize("job", ["promote", "rollback", "predict"])
def test_no_job_loads_a_hostile_bundle(settings: Settings, job: str) -> None:
    artifacts = settings.artifacts_uri
    small_bundle(artifacts, "housing", "v1", training=holdout(artifacts))
    point(artifacts, "housing", "v1")
    small_bundle(artifacts, "housing", "v2", training=holdout(artifacts), extra=zeros(200), proved=False)
    with pytest.raises(DataError, match="needs more than 192 MiB of memory"):
        if job == "promote":
            promote.run(settings, promote.Params("housing", "v2", track=False))
        elif job == "rollback":
            rollback.run(settings, rollback.Params("housing", to="v2", track=False))
        else:
            rows = [catalog.find("housing").example()]
            models_predict.run(settings, models_predict.Params("housing", rows, "v2"))
    assert proofs(settings) == {"v1.json"}

"""Manifest, pointer and array files: what is written is read, what is damaged is refused."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bundles
from cabstand.errors import CabstandError, DataError
from cabstand.io import storage
from cabstand.modelling import bundle, catalog, pointer
from cabstand.modelling.fields import columns_of
from cabstand.modelling.predictor import Predictor


@pytest.mark.parametrize("name", sorted(catalog.BUILT_IN))
def test_a_small_bundle_answers_its_own_example(name: str, tmp_path: Path) -> None:
    problem = catalog.find(name)
    manifest = bundles.small_bundle(tmp_path, name)
    base = tmp_path / name / "bundles" / "v1"
    read = bundle.parse_manifest((base / "manifest.json").read_bytes())
    assert read.to_bytes() == manifest.to_bytes()
    files = {key: storage.read(str(base / key)) for key in read.files}
    answer = Predictor(problem, read, files).predict(columns_of(read.fields, [problem.example()] * 3))
    assert tuple(answer) == problem.outputs
    for key, values in answer.items():
        assert len(values) == 3, key
        assert np.isfinite(values).all(), key


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    manifest = bundles.small_bundle(tmp_path, "housing")
    model = (tmp_path / "housing/bundles/v1/model.onnx").read_bytes()
    for damaged in (model[:-1], model + b"x", bytes([model[0] ^ 1]) + model[1:]):
        with pytest.raises(DataError, match="damaged"):
            bundle.check_file(manifest, bundle.MODEL, damaged)
    with pytest.raises(DataError, match="other features"):
        Predictor(catalog.find("housing"), replace(manifest, feature_version=2), {bundle.MODEL: model})


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"schema_version": None},
        {"files": {}},
        {"files": {"model.onnx": {"sha256": "0", "size": 10**12}}},
        {"files": {"../x": {"sha256": "0", "size": 1}, "model.onnx": {"sha256": "0", "size": 1}}},
        {"version": "../../etc"},
        {"fields": [{"name": "x"}]},
        {"unknown": 1},
    ],
)
def test_a_bad_manifest_is_one_line(change: dict[str, object], tmp_path: Path) -> None:
    told = json.loads(bundles.small_bundle(tmp_path, "iris").to_bytes())
    with pytest.raises(DataError) as caught:
        bundle.parse_manifest(json.dumps(told | change).encode())
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_no_bytes_crash_a_parser(data: bytes) -> None:
    for parse in (bundle.parse_manifest, pointer.parse_pointer, bundle.unpack_arrays):
        with pytest.raises(DataError):
            parse(data)


def test_arrays_come_back_and_equal_arrays_give_equal_bytes() -> None:
    arrays = {"b": np.arange(6.0).reshape(2, 3), "a": np.array(["x", "yy"])}
    packed = bundle.pack_arrays(arrays)
    assert packed == bundle.pack_arrays(dict(reversed(arrays.items())))
    for name, values in bundle.unpack_arrays(packed).items():
        np.testing.assert_array_equal(values, arrays[name])


def test_an_array_that_lies_about_its_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = bundle.pack_arrays({"a": np.zeros(4)})
    header = np.lib.format.header_data_from_array_1_0(np.zeros(4)) | {"shape": (10**15,)}
    member, lying = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(lying, "w") as archive:
        archive.writestr("a.npy", member.getvalue() + bytes(32))
    with pytest.raises(DataError, match="does not match"):
        bundle.unpack_arrays(lying.getvalue())
    monkeypatch.setattr(bundle, "MAX_BYTES", 16)
    with pytest.raises(DataError, match="too large"):
        bundle.unpack_arrays(packed)
    objects = np.array([object()])
    with pytest.raises(ValueError, match="Object arrays"):
        bundle.pack_arrays({"o": objects})


def test_a_pointer_goes_on_and_back() -> None:
    start = pointer.first("iris", "v1").stamped(1, who="a", when="t", why="w")
    assert pointer.parse_pointer(start.to_bytes()) == start
    second = start.promoted("v2")
    assert (second.champion, second.previous) == ("v2", "v1")
    back = second.challenged("v3", 0.2).rolled_back()
    assert (back.champion, back.previous, back.challenger, back.share) == ("v1", None, None, 0)
    with pytest.raises(DataError, match="--to"):
        back.rolled_back()
    assert back.rolled_back("v2").champion == "v2"
    with pytest.raises(DataError, match="no previous"):
        start.rolled_back()
    with pytest.raises(DataError, match="already"):
        start.rolled_back("v1")


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 0},
        {"sequence": True},
        {"share": 1.5},
        {"share": float("nan")},
        {"share": 0.5},
        {"champion": "../x"},
        {"champion": None},
        {"challenger": 3},
        {"schema_version": 9},
        {"extra": 1},
        {"who": None},
    ],
)
def test_a_bad_pointer_is_refused(change: dict[str, object]) -> None:
    told = json.loads(pointer.first("iris", "v1").stamped(1, who="", when="", why="").to_bytes())
    with pytest.raises(DataError):
        pointer.parse_pointer(json.dumps(told | change).encode())


def test_finding_a_problem(tmp_path: Path) -> None:
    assert catalog.find("iris").name == "iris"
    assert "trip-duration" in catalog.names()
    with pytest.raises(CabstandError, match="did you mean housing"):
        catalog.find("housin")
    with pytest.raises(CabstandError, match="no such file"):
        catalog.find("nothing.py")
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n")
    with pytest.raises(CabstandError, match="ZeroDivisionError"):
        catalog.find(str(broken))
    broken.write_text("x = 1\n")
    with pytest.raises(CabstandError, match="PROBLEM"):
        catalog.find(str(broken))


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({}, "missing"),
        ({"pickup_zone": 0}, "outside"),
        ({"pickup_zone": 1.5}, "not a finite"),
        ({"pickup_zone": float("nan")}, "not a finite"),
        ({"pickup_zone": 10**400}, "not a integer"),
        ({"pickup_zone": 74, "dropoff_zone": 42, "pickup_at": "yesterday"}, "not a timestamp"),
        ({"pickup_zone": 74, "dropoff_zone": 42, "pickup_at": "NaT"}, "not a time"),
        ({"zone": 1}, "unknown field"),
    ],
)
def test_a_bad_row_is_one_line(row: dict[str, object], what: str) -> None:
    with pytest.raises(DataError, match=what):
        columns_of(catalog.find("trip-duration").fields, [row])

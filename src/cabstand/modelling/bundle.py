"""What serving reads: the formats of a bundle's manifest and of the pointer, and their checks.

::

    {artifacts}/{problem}/pointer.json
    {artifacts}/{problem}/bundles/{version}/manifest.json   written last: a bundle with a manifest is whole
                                            model.onnx      float32 "features" (n, k) -> the outputs the manifest names
                                            assets.npz      arrays that the feature function needs; may be absent
                                            hotspots.npz    a CoreIndex; absent where the problem has no geography
                                            reference.parquet   rows of the training data that drift is measured against

NumPy and the standard library are enough here; writing is `cabstand.io.bundles` and `cabstand.io.pointer`.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.modelling.fields import Field

MANIFEST_SCHEMA = 1
MANIFEST, MODEL, ASSETS, HOTSPOTS, REFERENCE = (
    "manifest.json",
    "model.onnx",
    "assets.npz",
    "hotspots.npz",
    "reference.parquet",
)
MAX_BYTES = 256 << 20  # no file of a bundle is larger, packed or unpacked
VERSION = re.compile(r"[0-9a-z][0-9a-z._-]{0,63}")
# What the exporter may use and a server may run; nothing here reads a file, loops or allocates beyond its inputs' size.
_OPERATORS = """
Add ArrayFeatureExtractor ArgMax Cast Clip Concat Div Gather Gemm Identity Imputer IsNaN LinearClassifier
LinearRegressor MatMul Max Min Mul Normalizer Reshape Scaler Sigmoid Softmax Squeeze Sub TreeEnsembleClassifier
TreeEnsembleRegressor Unsqueeze Where
"""
OPERATORS = frozenset(_OPERATORS.split())


@dataclass(frozen=True)
class File:
    """Hash and size of one file of a bundle."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """All that is known of a bundle; immutable once published.

    Attributes
    ----------
    problem, version, task, candidate : str
        Which problem, which version of it, its task, and the name of the estimator that won.
    fields : tuple of Field
        Schema of the request.
    feature_version, feature_names : int, tuple of str
        Version and columns of the feature matrix; the loader's feature function must have the same.
    outputs : tuple of str
        The model's outputs: `point` (and `low`, `high`) or `label` and `probability`.
    target : mapping
        name, unit, description, classes.
    tolerance : float
        Largest difference between the estimator's and the model file's answers that was accepted.
    files : mapping of str to File
        Every file beside the manifest.
    metrics : mapping of str to float
        Figures on the holdout.
    interval : mapping
        `coverage` (nominal), `below` and `above` (conformal constants, already inside the model); empty without one.
    data, training : mapping
        uri and sha256 of the input; seed, spans, holdout, importance and parameters.
    run_id : str
        The MLflow run.
    libraries : mapping of str to str
        Versions it was made with.
    created : str
        UTC, ISO 8601.
    """

    problem: str
    version: str
    task: str
    candidate: str
    fields: tuple[Field, ...]
    feature_version: int
    feature_names: tuple[str, ...]
    outputs: tuple[str, ...]
    target: Mapping[str, Any]
    tolerance: float
    files: Mapping[str, File]
    metrics: Mapping[str, float] = field(default_factory=dict)
    interval: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    schema_version: int = MANIFEST_SCHEMA

    @property
    def n_features(self) -> int:
        """Width of the feature matrix."""
        return len(self.feature_names)

    def to_bytes(self) -> bytes:
        """Return the manifest as JSON."""
        told = asdict(self) | {"n_features": self.n_features, "fields": [one.to_json() for one in self.fields]}
        return (json.dumps(told, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def parse_manifest(data: bytes, where: str = MANIFEST) -> Manifest:
    """Return the manifest in `data`.

    Raises
    ------
    DataError
        If it is not JSON, lacks a part, or is of a schema that this version does not read.
    """
    told = _json(data, where)
    schema(told, MANIFEST_SCHEMA, where)
    try:
        told.pop("n_features", None)
        told["fields"] = tuple(Field.from_json(one) for one in told["fields"])
        told["files"] = {name: File(str(one["sha256"]), int(one["size"])) for name, one in told["files"].items()}
        for name in ("feature_names", "outputs"):
            told[name] = tuple(map(str, told[name]))
        manifest = Manifest(**told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"not a whole manifest: {error}", where=where) from error
    _check(manifest, where)
    return manifest


def _check(manifest: Manifest, where: str) -> None:
    if not VERSION.fullmatch(manifest.version):
        raise DataError(f"bad version {manifest.version[:70]!r}", where=where)
    if MODEL not in manifest.files:
        raise DataError(f"names no {MODEL}", where=where)
    for name, one in manifest.files.items():
        if "/" in name or name.startswith("."):
            raise DataError(f"bad file name {name[:70]!r}", where=where)
        if not 0 < one.size <= MAX_BYTES:
            raise DataError(f"{name} of {one.size} bytes", where=where, hint=f"the limit is {MAX_BYTES >> 20} MiB")


def check_file(manifest: Manifest, name: str, data: bytes) -> bytes:
    """Return `data` if it is what the manifest says of `name`.

    Raises
    ------
    DataError
        If size or SHA-256 differ, or the manifest does not name the file.
    """
    where = f"{manifest.problem} {manifest.version} {name}"
    if name not in manifest.files:
        raise DataError("not in the manifest", where=where)
    known = manifest.files[name]
    if len(data) != known.size:
        raise DataError(f"{len(data)} bytes, not {known.size}", where=where, hint="the bundle is damaged")
    if hashlib.sha256(data).hexdigest() != known.sha256:
        raise DataError("its SHA-256 differs from the manifest's", where=where, hint="the bundle is damaged")
    return data


def file_of(data: bytes) -> File:
    """Return the hash and size of `data`."""
    return File(hashlib.sha256(data).hexdigest(), len(data))


def pack_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return arrays as an npz; equal arrays give equal bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            # A fixed date: numpy.savez stamps the clock into the bytes.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue())
    return packed.getvalue()


def unpack_arrays(data: bytes, where: str = ASSETS) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an npz, declared sizes checked before anything is unpacked, nothing unpickled.

    Raises
    ------
    DataError
        If it is not an npz, or says it is larger than a bundle's file may be.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(one.file_size for one in archive.infolist()) > MAX_BYTES:
                raise DataError("unpacks to too much", where=where, hint=f"the limit is {MAX_BYTES >> 20} MiB")
            return {one.filename.removesuffix(".npy"): _member(archive.read(one)) for one in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"not an npz: {error}", where=where) from error


def _member(data: bytes) -> npt.NDArray[Any]:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    n_values = 1
    for length in shape:
        n_values *= length  # Python integers: a hostile shape does not overflow
    if dtype.hasobject or n_values * dtype.itemsize != len(data) - stream.tell():
        raise ValueError("an array's header does not match its size")
    stream.seek(0)
    return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _json(data: bytes, where: str) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError("not JSON", where=where) from error
    if not isinstance(told, dict):
        raise DataError("not a JSON object", where=where)
    return told


def schema(told: Mapping[str, Any], newest: int, where: str) -> None:
    """Raise a DataError unless `told` is of a schema version that this code reads."""
    found = told.get("schema_version")
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= newest:
        raise DataError(f"schema version {found!r}, and 1 to {newest} are read here", where=where)

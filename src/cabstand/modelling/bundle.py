"""The format of a serving bundle: its files, its manifest, and their checks.

::

    {artifacts}/{problem}/pointer.json
    {artifacts}/{problem}/bundles/{version}/manifest.json   written last: a bundle with a manifest is complete
                                            model.onnx      float32 "features" (n, k) -> the outputs in the manifest
                                            assets.npz      arrays that the feature function needs; may be absent
                                            hotspots.npz    a CoreIndex; absent if the problem has no geography
                                            reference.parquet   training rows that drift is measured against

It needs NumPy and the standard library alone, because the service imports it. `cabstand.io.bundles` writes bundles.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
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
MANIFEST, MODEL, ASSETS = "manifest.json", "model.onnx", "assets.npz"
HOTSPOTS, REFERENCE = "hotspots.npz", "reference.parquet"
MAX_BYTES = 256 << 20  # of each file of a bundle, packed and unpacked
VERSION = re.compile(r"[0-9a-z][0-9a-z._-]{0,63}")
# Operators that a model may use; none of them reads a file, loops, or allocates beyond the size of its inputs.
_OPERATORS = """
Add ArrayFeatureExtractor ArgMax Cast Clip Concat Div Gather Gemm Identity Imputer IsNaN LinearClassifier
LinearRegressor MatMul Max Min Mul Normalizer Reshape Scaler Sigmoid Softmax Squeeze Sub TreeEnsembleClassifier
TreeEnsembleRegressor Unsqueeze Where
"""
OPERATORS = frozenset(_OPERATORS.split())
_SYNTHETIC = re.compile(r"/trips/synth(-[a-z0-9]+)*/[0-9-]+\.parquet$")


@dataclass(frozen=True)
class File:
    """Hash and size of one file of a bundle."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What is known about a bundle; immutable once published."""

    problem: str
    version: str
    task: str
    candidate: str  # the chosen one
    fields: tuple[Field, ...]
    feature_version: int  # this and the names must equal those of the loaded problem
    feature_names: tuple[str, ...]
    outputs: tuple[str, ...]  # `point` (and `low`, `high`), or `label` and `probability`
    target: Mapping[str, Any]  # name, unit, description, classes
    tolerance: float  # largest accepted difference between the predictions of the estimator and of the model file
    files: Mapping[str, File]  # all but the manifest
    metrics: Mapping[str, float] = field(default_factory=dict)  # on the holdout
    interval: Mapping[str, float] = field(default_factory=dict)  # nominal `coverage`; `below`, `above`: see `interval`
    data: Mapping[str, Any] = field(default_factory=dict)  # of the input: uris, sha256, whether it is `synthetic`
    training: Mapping[str, Any] = field(default_factory=dict)  # seed, spans, holdout, importance, parameters
    run_id: str = ""  # of MLflow
    libraries: Mapping[str, str] = field(default_factory=dict)  # their versions
    created: str = ""  # UTC, ISO 8601
    schema_version: int = MANIFEST_SCHEMA

    @property
    def synthetic(self) -> bool:
        """Whether it was made from synthetic data; a manifest that does not say so may name synthetic months."""
        named = any(_SYNTHETIC.search(str(uri)) for uri in self.data.get("uris", ()))
        return bool(self.data.get("synthetic", named))

    @property
    def n_features(self) -> int:
        """Width of the feature matrix."""
        return len(self.feature_names)

    def to_bytes(self) -> bytes:
        """Return the manifest as JSON."""
        content = asdict(self) | {"n_features": self.n_features, "fields": [one.to_json() for one in self.fields]}
        return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def parse_manifest(data: bytes, where: str = MANIFEST) -> Manifest:
    """Return the manifest in `data`, or raise a DataError."""
    content = read_json(data, MANIFEST_SCHEMA, where, kind="manifest")
    try:
        content.pop("n_features", None)
        content["fields"] = tuple(Field.from_json(one) for one in content["fields"])
        content["files"] = {name: File(str(one["sha256"]), int(one["size"])) for name, one in content["files"].items()}
        for name in ("feature_names", "outputs"):
            content[name] = tuple(map(str, content[name]))
        manifest = Manifest(**content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"not a complete manifest: {error}", where=where) from error
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
    """Return `data` if it has the size and SHA-256 that the manifest gives for `name`; otherwise raise a DataError."""
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
    """Return the arrays of an npz, or raise a DataError; checks declared sizes before unpacking, unpickles nothing."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(one.file_size for one in archive.infolist()) > MAX_BYTES:
                raise DataError("too large when unpacked", where=where, hint=f"the limit is {MAX_BYTES >> 20} MiB")
            return {one.filename.removesuffix(".npy"): _member(archive.read(one)) for one in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"not an npz: {error}", where=where) from error


def _member(data: bytes) -> npt.NDArray[Any]:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError("an array's header does not match its size")
    stream.seek(0)
    return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def read_json(data: bytes, newest: int, where: str, *, kind: str, hint: str | None = None) -> dict[str, Any]:
    """Return a JSON object of a schema version from 1 to `newest`; otherwise raise a DataError."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not a {kind}: not JSON", where=where, hint=hint) from error
    if not isinstance(content, dict):
        raise DataError(f"not a {kind}: not a JSON object", where=where, hint=hint)
    version = content.get("schema_version")
    if type(version) is not int or not 1 <= version <= newest:
        raise DataError(f"schema version {version!r}; this version of cabstand reads 1 to {newest}", where=where)
    return content

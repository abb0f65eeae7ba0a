"""Read bundles that are proved: now, or before, which a record beside them says.

::

    {artifacts}/{problem}/proofs/{version}.json     written by a promotion or rollback, before the pointer

The record names the SHA-256 of the manifest, which names those of the files, so it holds for these very bytes. Whoever
may write it may write the pointer too.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from cabstand.errors import DataError, StorageError
from cabstand.io import storage
from cabstand.modelling import catalog
from cabstand.modelling.bundle import ASSETS, HOTSPOTS, MANIFEST, MODEL, Manifest, parse_manifest
from cabstand.modelling.problem import Problem

EDITION = 1  # of the proof: raise it, and every bundle is proved again
MAX_MANIFEST_BYTES = 16 << 20
MAX_RECORD_BYTES = 4_096


class Proved(NamedTuple):
    """A bundle that may be loaded: its manifest, and its model, assets and hotspots by name."""

    manifest: Manifest
    files: dict[str, bytes]


def read(artifacts: str, problem: Problem, version: str, memory_mib: int) -> Proved:
    """Return a bundle; a DataError if it is refused, an AbsentError if a file is missing.

    Unless there is a record of its proof, it is tried in another process, where it may take `memory_mib` of memory.
    """
    base = storage.join(artifacts, problem.name, "bundles", version)
    uri = storage.join(base, MANIFEST)
    content = storage.read(uri, MAX_MANIFEST_BYTES)
    files: dict[str, bytes] = {}

    def give(name: str, size: int) -> bytes:
        if name == MANIFEST:
            return content
        files[name] = storage.read(storage.join(base, name), size)
        return files[name]

    if not is_proved(artifacts, problem.name, version, content):
        from cabstand.io.proving import parent  # a cold start seldom needs it

        parent.prove(catalog.spec_of(problem), version, give, memory_mib)
    manifest = parse_manifest(content, uri)
    if (manifest.problem, manifest.version) != (problem.name, version):
        raise DataError(f"is the manifest of {manifest.problem} {manifest.version}", where=uri)
    for name in (MODEL, ASSETS, HOTSPOTS):
        if name in manifest.files and name not in files:
            give(name, manifest.files[name].size)
    return Proved(manifest, files)


def is_proved(artifacts: str, problem: str, version: str, manifest: bytes) -> bool:
    """Return whether there is a record that the bundle with these bytes of a manifest was proved."""
    try:
        record = json.loads(storage.read(_uri(artifacts, problem, version), MAX_RECORD_BYTES))
    except (StorageError, DataError, ValueError, RecursionError):
        return False
    return bool(record == _record(manifest))


def record(artifacts: str, problem: str, version: str) -> None:
    """Record that a bundle, just proved, is proved."""
    manifest = storage.read(storage.join(artifacts, problem, "bundles", version, MANIFEST), MAX_MANIFEST_BYTES)
    storage.write(_uri(artifacts, problem, version), (json.dumps(_record(manifest)) + "\n").encode())


def _record(manifest: bytes) -> dict[str, object]:
    return {"schema_version": 1, "edition": EDITION, "manifest_sha256": hashlib.sha256(manifest).hexdigest()}


def _uri(artifacts: str, problem: str, version: str) -> str:
    return storage.join(artifacts, problem, "proofs", f"{version}.json")

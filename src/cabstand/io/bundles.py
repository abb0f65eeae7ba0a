"""Bundles and frozen holdouts in the artifact store: published complete, and never changed afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from cabstand.errors import AbsentError, ConfigError, DataError, StorageError
from cabstand.io import pointer, publish, storage
from cabstand.io.proving import bundles as proved
from cabstand.modelling import bundle
from cabstand.modelling.bundle import Manifest
from cabstand.modelling.predictor import Predictor
from cabstand.modelling.problem import Examples, Problem


def base(artifacts: str, problem: str, version: str) -> str:
    """Return the URI of a bundle."""
    return storage.join(artifacts, problem, "bundles", version)


def versions(artifacts: str, problem: str) -> list[str]:
    """Return the versions whose bundle is complete, sorted."""
    uris = storage.list_under(storage.join(artifacts, problem, "bundles"))
    found = [uri.rsplit("/", 2)[1] for uri in uris if uri.endswith("/" + bundle.MANIFEST)]
    return sorted(version for version in found if not version.startswith("."))


def resolve(artifacts: str, problem: str, version: str) -> str:
    """Return the one version that is `version` or begins with it; a ConfigError if there is none, or several."""
    known = versions(artifacts, problem)
    found = [one for one in known if one == version] or [one for one in known if one.startswith(version)]
    if len(found) != 1:
        hint = f"known: {', '.join(known)}" if known else f"`cabstand train --problem {problem}` makes one"
        raise ConfigError(f"{'no' if not found else 'more than one'} version {version!r}", where=problem, hint=hint)
    return found[0]


def read_manifest(artifacts: str, problem: str, version: str) -> Manifest:
    """Return the manifest of a bundle; a DataError if there is none, or it is damaged or another bundle's."""
    uri = storage.join(base(artifacts, problem, version), bundle.MANIFEST)
    if not storage.exists(uri):
        raise DataError("no such bundle", where=f"{problem} {version}", hint="`cabstand models list` lists them")
    found = bundle.parse_manifest(storage.read(uri), uri)
    if (found.problem, found.version) != (problem, version):
        raise DataError(f"is the manifest of {found.problem} {found.version}", where=uri)
    return found


def select(artifacts: str, problem: str, version: str) -> Manifest:
    """Return the manifest of a version, given in full or by its beginning; of the champion if it is empty."""
    if version:
        return read_manifest(artifacts, problem, resolve(artifacts, problem, version))
    current, _ = pointer.read(artifacts, problem)
    if current is None:
        raise DataError("no champion yet", where=problem, hint="name a --version, or `cabstand promote` one")
    return read_manifest(artifacts, problem, current.champion)


def read_files(artifacts: str, manifest: Manifest, names: Iterable[str]) -> dict[str, bytes]:
    """Return files of a bundle, each checked against the manifest's size and hash."""
    folder = base(artifacts, manifest.problem, manifest.version)
    found = {}
    for name in names:
        uri = storage.join(folder, name)
        if not storage.exists(uri):
            raise DataError("missing, though the manifest names it", where=uri, hint="the bundle is damaged")
        found[name] = bundle.check_file(manifest, name, storage.read(uri))
    return found


def read_whole(artifacts: str, problem: str, version: str) -> Manifest | None:
    """Return the manifest of a bundle of which every file was checked, or None where there is none."""
    folder = base(artifacts, problem, version)
    if not storage.exists(storage.join(folder, bundle.MANIFEST)):
        return None
    try:
        manifest = read_manifest(artifacts, problem, version)
        read_files(artifacts, manifest, manifest.files)
    except DataError as error:
        raise DataError(f"damaged: {error.what}", where=folder, hint="remove that folder and train again") from error
    return manifest


def predictor(artifacts: str, problem: Problem, manifest: Manifest, memory_mib: int) -> Predictor:
    """Return the predictor of a bundle, which is proved first; a DataError if it is refused."""
    try:
        return Predictor(problem, *proved.read(artifacts, problem, manifest.version, memory_mib))
    except AbsentError as error:
        hint = "the bundle is damaged"
        raise DataError("missing, though the manifest names it", where=error.where, hint=hint) from error


def write(artifacts: str, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Publish a bundle, complete or not at all; a ConfigError if the version exists."""
    uri = base(artifacts, manifest.problem, manifest.version)
    if storage.exists(storage.join(uri, bundle.MANIFEST)):
        raise ConfigError("exists already, and a bundle never changes", where=uri)
    with publish.folder(uri) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(bundle.check_file(manifest, name, data))
        (folder / bundle.MANIFEST).write_bytes(manifest.to_bytes())


def write_holdout(artifacts: str, problem: str, examples: Examples) -> str:
    """Store held-out rows under their SHA-256, and return it."""
    arrays = {f"column.{name}": values for name, values in examples.columns.items()}
    arrays |= {f"segment.{name}": values for name, values in examples.segments.items()}
    arrays["target"] = examples.target
    if examples.time is not None:
        arrays["time"] = examples.time
    data = bundle.pack_arrays(arrays)
    sha256 = hashlib.sha256(data).hexdigest()
    uri = _holdout_uri(artifacts, problem, sha256)
    if not storage.exists(uri):
        storage.write(uri, data)
    return sha256


def read_holdout(artifacts: str, problem: str, sha256: str) -> Examples:
    """Return held-out rows, their hash checked."""
    uri = _holdout_uri(artifacts, problem, sha256)
    if not storage.exists(uri):
        raise StorageError("the holdout file is missing", where=uri, hint="train again")
    data = storage.read(uri)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DataError("its SHA-256 differs from its name", where=uri, hint="the holdout is damaged; train again")
    arrays = bundle.unpack_arrays(data, uri)
    return Examples(
        columns={name[7:]: values for name, values in arrays.items() if name.startswith("column.")},
        target=np.asarray(arrays["target"]),
        time=arrays.get("time"),
        segments={name[8:]: values for name, values in arrays.items() if name.startswith("segment.")},
    )


def _holdout_uri(artifacts: str, problem: str, sha256: str) -> str:
    return storage.join(artifacts, problem, "holdouts", f"{sha256}.npz")

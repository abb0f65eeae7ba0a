"""Bundles and frozen holdouts in the artifact store: published complete, and never changed afterwards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

import numpy as np

from cabstand.errors import ConfigError, ConflictError, DataError, StorageError
from cabstand.io import pointer, publish, storage
from cabstand.modelling import bundle, catalog
from cabstand.modelling.bundle import Manifest
from cabstand.modelling.pointer import POINTER
from cabstand.modelling.predictor import Predictor
from cabstand.modelling.problem import Examples, Problem


def base(artifacts: str, problem: str, version: str) -> str:
    """Return the URI of a bundle."""
    return storage.join(artifacts, problem, "bundles", version)


def problems(artifacts: str) -> list[str]:
    """Return the names of the problems that have a complete bundle or a pointer, sorted."""
    ends = rf"/([^/]+)/(?:{re.escape(POINTER)}|bundles/[^/]+/{re.escape(bundle.MANIFEST)})"
    found = [re.search(f"{ends}$", f"/{uri}") for uri in storage.list_under(artifacts)]
    return sorted({one[1] for one in found if one})


def name_of(artifacts: str, spec: str) -> str:
    """Return the name of the problem that `spec` names: one of the store, or any that `catalog.find` finds."""
    return spec if spec in problems(artifacts) else catalog.find(spec).name


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


def predictor(artifacts: str, problem: Problem, manifest: Manifest) -> Predictor:
    """Return the predictor of a bundle."""
    names = [name for name in (bundle.MODEL, bundle.ASSETS) if name in manifest.files]
    return Predictor(problem, manifest, read_files(artifacts, manifest, names))


def write(artifacts: str, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Publish a bundle, complete or not at all; a ConflictError if the version exists."""
    uri = base(artifacts, manifest.problem, manifest.version)
    if storage.exists(storage.join(uri, bundle.MANIFEST)):
        raise ConflictError("exists already, and a bundle never changes", where=uri)
    with publish.folder(uri, replace=False) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(bundle.check_file(manifest, name, data))
        (folder / bundle.MANIFEST).write_bytes(manifest.to_bytes())


def write_holdout(artifacts: str, problem: str, examples: Examples) -> str:
    """Store held-out rows under their SHA-256, and return it."""
    data = _packed(examples)
    found = hashlib.sha256(data).hexdigest()
    uri = holdout_uri(artifacts, problem, found)
    if not storage.exists(uri):
        storage.write(uri, data)
    return found


def sha256(examples: Examples) -> str:
    """Return the SHA-256 of rows as they are stored for a holdout."""
    return hashlib.sha256(_packed(examples)).hexdigest()


def read_holdout(artifacts: str, problem: str, wanted: str) -> Examples:
    """Return the held-out rows that have this SHA-256, which is checked."""
    uri = holdout_uri(artifacts, problem, wanted)
    if not storage.exists(uri):
        raise StorageError("the holdout file is missing", where=uri, hint="train again")
    data = storage.read(uri)
    if hashlib.sha256(data).hexdigest() != wanted:
        raise DataError("its SHA-256 differs from its name", where=uri, hint="the holdout is damaged; train again")
    arrays = bundle.unpack_arrays(data, uri)
    return Examples(
        columns={name[7:]: values for name, values in arrays.items() if name.startswith("column.")},
        target=np.asarray(arrays["target"]),
        time=arrays.get("time"),
        segments={name[8:]: values for name, values in arrays.items() if name.startswith("segment.")},
    )


def holdout_uri(artifacts: str, problem: str, wanted: str) -> str:
    """Return the URI of the held-out rows that have this SHA-256."""
    return storage.join(artifacts, problem, "holdouts", f"{wanted}.npz")


def _packed(examples: Examples) -> bytes:
    arrays = {f"column.{name}": values for name, values in examples.columns.items()}
    arrays |= {f"segment.{name}": values for name, values in examples.segments.items()}
    arrays["target"] = examples.target
    if examples.time is not None:
        arrays["time"] = examples.time
    return bundle.pack_arrays(arrays)

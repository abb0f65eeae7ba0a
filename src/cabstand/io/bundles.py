"""Bundles and holdouts in the serving store: written aside and swapped, never changed afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from cabstand.errors import ConfigError, DataError, StorageError
from cabstand.io import publish, storage
from cabstand.modelling import bundle
from cabstand.modelling.bundle import Manifest
from cabstand.modelling.problem import Examples


def base(artifacts: str, problem: str, version: str) -> str:
    """Return where a bundle stands."""
    return storage.join(artifacts, problem, "bundles", version)


def versions(artifacts: str, problem: str) -> list[str]:
    """Return the versions whose bundle is whole, sorted."""
    place = storage.join(artifacts, problem, "bundles")
    ends = [uri for uri in storage.list_under(place) if uri.endswith("/" + bundle.MANIFEST)]
    return sorted(uri.rsplit("/", 2)[1] for uri in ends if not uri.rsplit("/", 2)[1].startswith("."))


def resolve(artifacts: str, problem: str, version: str) -> str:
    """Return the one version that is `version` or begins with it.

    Raises
    ------
    ConfigError
        If there is none, or several.
    """
    known = versions(artifacts, problem)
    found = [one for one in known if one == version] or [one for one in known if one.startswith(version)]
    if len(found) != 1:
        told = f"known: {', '.join(known)}" if known else f"`cabstand train --problem {problem}` makes one"
        raise ConfigError(f"{'no' if not found else 'more than one'} version {version!r}", where=problem, hint=told)
    return found[0]


def read_manifest(artifacts: str, problem: str, version: str) -> Manifest | None:
    """Return the manifest of a whole bundle, or None where there is none.

    Raises
    ------
    DataError
        If it is damaged, or another bundle's.
    """
    uri = storage.join(base(artifacts, problem, version), bundle.MANIFEST)
    if not storage.exists(uri):
        return None
    found = bundle.parse_manifest(storage.read(uri), uri)
    if (found.problem, found.version) != (problem, version):
        raise DataError(f"is the manifest of {found.problem} {found.version}", where=uri)
    return found


def read_files(artifacts: str, manifest: Manifest, names: Iterable[str]) -> dict[str, bytes]:
    """Return files of a bundle, each checked against the manifest's size and hash.

    Raises
    ------
    DataError
        If one is missing or damaged.
    """
    place = base(artifacts, manifest.problem, manifest.version)
    found = {}
    for name in names:
        uri = storage.join(place, name)
        if not storage.exists(uri):
            raise DataError("missing, though the manifest names it", where=uri, hint="the bundle is damaged")
        found[name] = bundle.check_file(manifest, name, storage.read(uri))
    return found


def read_whole(artifacts: str, problem: str, version: str) -> Manifest | None:
    """Return the manifest of a bundle whose every file was checked, or None where there is none.

    Raises
    ------
    DataError
        If a part of it is damaged or missing; the hint says how to make it anew.
    """
    try:
        manifest = read_manifest(artifacts, problem, version)
        if manifest is not None:
            read_files(artifacts, manifest, manifest.files)
    except DataError as error:
        place = base(artifacts, problem, version)
        raise DataError(f"damaged: {error.what}", where=place, hint="remove that folder and train again") from error
    return manifest


def write(artifacts: str, manifest: Manifest, files: Mapping[str, bytes]) -> str:
    """Publish a bundle, whole or not at all, and return where it stands.

    Raises
    ------
    ConfigError
        If the version stands there already: a bundle never changes.
    """
    place = base(artifacts, manifest.problem, manifest.version)
    if storage.exists(storage.join(place, bundle.MANIFEST)):
        raise ConfigError("stands there already, and a bundle never changes", where=place)
    with publish.folder(place) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(bundle.check_file(manifest, name, data))
        (folder / bundle.MANIFEST).write_bytes(manifest.to_bytes())
    return place


def write_holdout(artifacts: str, problem: str, examples: Examples) -> str:
    """Freeze rows to judge on under their own hash, and return it."""
    arrays = {f"column.{name}": values for name, values in examples.columns.items()}
    arrays |= {f"segment.{name}": values for name, values in examples.segments.items()}
    arrays["target"] = examples.target
    if examples.time is not None:
        arrays["time"] = examples.time
    data = bundle.pack_arrays(arrays)
    sha256 = hashlib.sha256(data).hexdigest()
    uri = holdout_uri(artifacts, problem, sha256)
    if not storage.exists(uri):
        storage.write(uri, data)
    return sha256


def holdout_uri(artifacts: str, problem: str, sha256: str) -> str:
    """Return where a frozen holdout stands."""
    return storage.join(artifacts, problem, "holdouts", f"{sha256}.npz")


def read_holdout(artifacts: str, problem: str, sha256: str) -> Examples:
    """Return a frozen holdout, its hash checked.

    Raises
    ------
    DataError
        If it is not what was frozen.
    StorageError
        If it is gone.
    """
    uri = holdout_uri(artifacts, problem, sha256)
    if not storage.exists(uri):
        raise StorageError("the frozen holdout is gone", where=uri, hint="train again")
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

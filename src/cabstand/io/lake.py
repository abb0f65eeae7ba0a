"""Months of trips in the lake: where each file stands, how a month is published, how it is read back.

A month is whole when its manifest is: it is taken away before the first file is replaced and written after the last.
Manifest and files carry the same run key, so that a mixture left by two writers is told from a month.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cabstand.errors import ConflictError, DataError, StorageError
from cabstand.io import storage

MANIFEST_VERSION = 1
ATTEMPTS = 4


@dataclass(frozen=True)
class Month:
    """Where one month of one data set stands.

    Attributes
    ----------
    trips_uri, quarantine_uri : str
        Parquet files.
    manifest_uri : str
        JSON, written last.
    planted_uri : str
        JSON beside synthetic trips: what was planted.
    """

    lake: str
    dataset: str
    month: str

    @property
    def trips_uri(self) -> str:
        """The trips that were kept."""
        return storage.join(self.lake, "trips", self.dataset, f"{self.month}.parquet")

    @property
    def quarantine_uri(self) -> str:
        """The rows that were put aside, each with its reason."""
        return storage.join(self.lake, "quarantine", self.dataset, f"{self.month}.parquet")

    @property
    def manifest_uri(self) -> str:
        """What the month was made from, and the balance of its rows."""
        return storage.join(self.lake, "trips", self.dataset, f"{self.month}.manifest.json")

    @property
    def planted_uri(self) -> str:
        """The truth behind synthetic trips."""
        return storage.join(self.lake, "trips", self.dataset, f"{self.month}.planted.json")


@dataclass(frozen=True)
class Made:
    """What was made of a month besides its two Parquet files.

    Attributes
    ----------
    manifest : dict
        JSON-able.
    beside : dict of str to bytes
        Further objects to publish with it, by URI.
    """

    manifest: dict[str, Any]
    beside: dict[str, bytes] = field(default_factory=dict)


def read_manifest(month: Month) -> dict[str, Any]:
    """Return the manifest of a whole month.

    Raises
    ------
    StorageError
        If there is none, or it cannot be read.
    DataError
        If the month is being written, or the manifest is of a version not known here.
    """
    manifest = _parse(month, storage.read(month.manifest_uri))
    if manifest.get("state") != "complete":
        raise DataError("this month is not whole: an ingest is running or was killed", where=month.manifest_uri,
                        hint="run the ingest again")  # fmt: skip
    return manifest


def find_manifest(month: Month, run_key: str) -> dict[str, Any] | None:
    """Return the manifest of a whole month that was made by `run_key`, or None."""
    if not storage.exists(month.manifest_uri):
        return None
    try:
        manifest = read_manifest(month)
    except (DataError, StorageError):
        return None
    files = (month.trips_uri, month.quarantine_uri)
    same = manifest.get("run_key") == run_key and all(storage.exists(uri) for uri in files)
    return manifest if same else None


def publish(month: Month, make: Callable[[Path, Path], Made]) -> dict[str, Any]:
    """Make a month's files and publish them as one; of two that do so at once the later one's stand.

    Parameters
    ----------
    month : Month
        Where.
    make : callable
        Writes trips and quarantine to the two paths it is given and returns the rest. It is called again if somebody
        else published meanwhile.

    Returns
    -------
    dict
        The manifest as published.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _publish_once(month, make)
        except ConflictError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _publish_once(month: Month, make: Callable[[Path, Path], Made]) -> dict[str, Any]:
    with _both(month) as (trips, quarantine):
        made = make(trips, quarantine)
        claim = json.dumps({"schema_version": MANIFEST_VERSION, "state": "publishing", "write_id": uuid.uuid4().hex})
        tag = storage.put_if(month.manifest_uri, claim.encode(), storage.etag(month.manifest_uri))
    for uri, data in made.beside.items():
        storage.write(uri, data)
    manifest = {"schema_version": MANIFEST_VERSION, "state": "complete", **made.manifest}
    storage.put_if(month.manifest_uri, (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode(), tag)
    return manifest


@contextmanager
def _both(month: Month) -> Iterator[tuple[Path, Path]]:
    with storage.staged(month.trips_uri) as trips, storage.staged(month.quarantine_uri) as quarantine:
        yield trips, quarantine


def _parse(month: Month, data: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(data)
    except ValueError as error:
        raise DataError(f"not a manifest: {error}", where=month.manifest_uri) from error
    if not isinstance(manifest, dict) or manifest.get("schema_version") != MANIFEST_VERSION:
        raise DataError(
            f"a manifest of version {MANIFEST_VERSION} was expected", where=month.manifest_uri, hint="update cabstand"
        )
    return manifest

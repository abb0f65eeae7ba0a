"""Months of trips in the lake: their addresses, how a month is published, how its manifest is read.

The manifest is marked "publishing" before the first file of a month is replaced, and "complete" after the last.
Manifest and files carry the same run key, so a mixture left by two writers can be detected.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from cabstand.errors import ConflictError, DataError, StorageError
from cabstand.io import storage

MANIFEST_VERSION = 1
ATTEMPTS = 4


@dataclass(frozen=True)
class Month:
    """The addresses of one month of one data set."""

    lake: str
    dataset: str
    month: str

    @property
    def trips_uri(self) -> str:
        """The good rows (Parquet)."""
        return self._uri("trips", "parquet")

    @property
    def quarantine_uri(self) -> str:
        """The quarantined rows, each with its reason (Parquet)."""
        return self._uri("quarantine", "parquet")

    @property
    def manifest_uri(self) -> str:
        """What the month was made from, and its row counts (JSON)."""
        return self._uri("trips", "manifest.json")

    @property
    def planted_uri(self) -> str:
        """The ground truth of synthetic trips (JSON)."""
        return self._uri("trips", "planted.json")

    @property
    def addresses(self) -> dict[str, str]:
        """Trips, quarantine and manifest, as results name them."""
        return {name: getattr(self, name) for name in ("trips_uri", "quarantine_uri", "manifest_uri")}

    def _uri(self, folder: str, suffix: str) -> str:
        return storage.join(self.lake, folder, self.dataset, f"{self.month}.{suffix}")


def months(lake: str, dataset: str = "") -> list[Month]:
    """Return the months that have a manifest, complete or not, earliest first: of one data set, or of all."""
    end = ".manifest.json"
    found = []
    for uri in storage.list_under(storage.join(lake, "trips", dataset)):
        if uri.endswith(end):
            folder, name = uri.rsplit("/", 2)[1:]
            found.append(Month(lake, folder, name.removesuffix(end)))
    return sorted(found, key=lambda month: (month.month, month.dataset))


def read_manifest(month: Month) -> dict[str, Any]:
    """Return the manifest of a complete month; StorageError if there is none, DataError if the month is incomplete."""
    manifest = _parse(month, storage.read(month.manifest_uri))
    if manifest.get("state") != "complete":
        what = "this month is incomplete: an ingest is running or was killed"
        raise DataError(what, where=month.manifest_uri, hint="run the ingest again")
    return manifest


def find_manifest(month: Month, run_key: str) -> dict[str, Any] | None:
    """Return the manifest of a complete month that was made by `run_key`, or None."""
    try:
        manifest = read_manifest(month)
    except (DataError, StorageError):
        return None
    files = (month.trips_uri, month.quarantine_uri)
    same = manifest.get("run_key") == run_key and all(storage.exists(uri) for uri in files)
    return manifest if same else None


@retry(retry=retry_if_exception_type(ConflictError), stop=stop_after_attempt(ATTEMPTS), reraise=True)
def publish(month: Month, make: Callable[[Path, Path], tuple[dict[str, Any], dict[str, bytes]]]) -> dict[str, Any]:
    """Make a month's files, publish them as one and return the manifest; of two concurrent writers the later one wins.

    `make` writes trips and quarantine to the two paths it is given, and returns the manifest and the content of further
    objects by URI. It is called again if another writer published meanwhile.
    """
    with storage.staged(month.trips_uri) as trips, storage.staged(month.quarantine_uri) as quarantine:
        content, further = make(trips, quarantine)
        claim = json.dumps({"schema_version": MANIFEST_VERSION, "state": "publishing", "write_id": uuid.uuid4().hex})
        tag = storage.put_if(month.manifest_uri, claim.encode(), storage.etag(month.manifest_uri))
    for uri, data in further.items():
        storage.write(uri, data)
    manifest = {"schema_version": MANIFEST_VERSION, "state": "complete", **content}
    storage.put_if(month.manifest_uri, (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode(), tag)
    return manifest


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

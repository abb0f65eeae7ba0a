"""Keep synthetic data apart from real data: which files and lakes are synthetic, and where synthetic results go.

A file carries a mark. A lake holds one kind alone: that of its zones, else of its trips, else of its results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import SecretStr

from cabstand.clustering.core_index import CoreIndex
from cabstand.clustering.marks import SYNTHETIC, of_metadata
from cabstand.errors import CabstandError, ConfigError, DataError
from cabstand.io import storage, tables
from cabstand.io.dask.files import opened
from cabstand.settings import Settings
from cabstand.trips.raw import PARQUET_MAGIC

DATASET = "synth"  # how the names of synthetic data sets begin
HEAD_BYTES = 4096
_IN_GEOJSON = re.compile(rb'"synthetic"\s*:\s*true')  # before the features, as `cabstand cluster` writes it
RESULTS = {"hotspots": "manifest.json", "comparisons": "comparison.json", "sweeps": "sweep.json"}


def of_schema(schema: pa.Schema) -> bool:
    """Return whether a file of this schema was made from synthetic data."""
    return SYNTHETIC in of_metadata(schema.metadata)


def of_table(uri: str) -> bool:
    """Return whether a table was made from synthetic data; of one that cannot be read, its reader tells."""
    try:
        with opened(uri) as source:
            head = source.read(HEAD_BYTES)
            if not head.startswith(PARQUET_MAGIC):
                return head.lstrip().startswith(b"{") and _IN_GEOJSON.search(head) is not None
            source.seek(0)
            with pq.ParquetFile(source) as file:
                return of_schema(file.schema_arrow)
    except CabstandError:
        return False


def of_index(uri: str) -> bool:
    """Return whether a hotspots.npz was made from synthetic data; one without a mark may lie beside a manifest."""
    return SYNTHETIC in CoreIndex.load(storage.read(uri)).marks or _of_result(uri.rpartition("/")[0], "manifest.json")


def one_kind(parts: Mapping[str, bool]) -> bool:
    """Return whether the parts of a run, by name, are synthetic; a DataError if some are and others are not."""
    made, real = ([name for name, synthetic in parts.items() if synthetic is kind] for kind in (True, False))
    if made and real:
        raise DataError(f"is synthetic, but {real[0]} is not", where=made[0], hint="run it on data of one kind")
    return bool(made)


def of_tables(uris: Iterable[str]) -> bool:
    """Return whether tables were made from synthetic data; a DataError if some were and others were not."""
    return one_kind({uri: of_table(uri) for uri in uris})


def of_lake(lake: str) -> bool | None:
    """Return whether a lake holds synthetic data, or None if it holds nothing yet."""
    zones, trips = storage.join(lake, "zones", "zones.parquet"), storage.join(lake, "trips")
    if storage.exists(zones):
        return of_table(zones)
    if months := [uri for uri in storage.list_under(trips) if uri.endswith(".parquet")]:
        return any(uri.split("/")[-2].startswith(DATASET) for uri in months)
    for folder, manifest in RESULTS.items():
        for uri in storage.list_under(storage.join(lake, folder)):
            if uri.endswith(f"/{manifest}"):
                return _of_result(uri.rpartition("/")[0], manifest)
    return None


def apart(settings: Settings) -> Settings:
    """Return settings for synthetic data: a home, lake, artifacts and MLflow store of their own."""
    return settings if of_lake(settings.lake_uri) else _apart(settings)


def admit(settings: Settings, uri: str) -> Settings:
    """Return `settings_for` a run on the tables at a URI, a glob or a folder; a DataError if their kinds differ."""
    return settings_for(settings, of_tables(tables.expand(uri)), uri)


def settings_for(settings: Settings, synthetic: bool, where: str) -> Settings:
    """Return the settings to work with on data of one kind; a ConfigError if the lake in force holds the other kind.

    Results of synthetic data go `apart`, unless the lake in force is synthetic, or is new and was named by the user. If
    that lake was named in a home of real data, models and MLflow runs still go apart.
    """
    kind = of_lake(settings.lake_uri)
    _require(kind, settings, synthetic, where)
    if not synthetic:
        return settings
    separate = _apart(settings)
    if kind is None and (not settings.lake or of_lake(separate.lake_uri)):
        return separate
    if of_lake(str(settings.home / "lake")) is False:
        return separate.model_copy(update={"lake": settings.lake, "artifacts": settings.artifacts})
    return settings


def require(settings: Settings, synthetic: bool, where: str) -> None:
    """Raise a ConfigError if the lake in force holds data of the other kind."""
    _require(of_lake(settings.lake_uri), settings, synthetic, where)


def _apart(settings: Settings) -> Settings:
    if settings.home.name == SYNTHETIC:
        return settings
    changes: dict[str, Any] = {"home": settings.home / SYNTHETIC, "mlflow_tracking_uri": SecretStr("")}
    for name in ("lake", "artifacts", "site"):
        given = getattr(settings, name)
        changes[name] = given and storage.join(given, SYNTHETIC)
    return settings.model_copy(update=changes)


def _require(kind: bool | None, settings: Settings, synthetic: bool, where: str) -> None:
    if kind is None or kind is synthetic:
        return
    lake = settings.lake_uri
    if synthetic:
        other = f"CABSTAND_HOME={settings.home / SYNTHETIC}" if not settings.lake else f"--lake {lake}/{SYNTHETIC}"
        raise ConfigError(
            f"is synthetic, but the lake {lake} holds real data", where=where, hint=f"run it with {other}"
        )
    other = "unset CABSTAND_HOME" if settings.home.name == SYNTHETIC else "name another with --lake or CABSTAND_LAKE"
    raise ConfigError(f"is real, but the lake {lake} holds synthetic data", where=where, hint=other)


def _of_result(folder: str, manifest: str) -> bool:
    uri = storage.join(folder, manifest)
    try:
        return bool(json.loads(storage.read(uri))["source"]["synthetic"]) if storage.exists(uri) else False
    except (ValueError, KeyError, TypeError):
        return False

"""The key of a pipeline run: equal only if everything that decides the result is equal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cabstand import tlc
from cabstand.io import provenance, sources, storage, zones
from cabstand.jobs import ingest
from cabstand.jobs.pipelining import months
from cabstand.modelling import catalog
from cabstand.settings import Settings


def run_key(settings: Settings, problem: str, trips: Mapping[str, str], dataset: str, params: Mapping[str, Any]) -> str:
    """Return the key of a run.

    It holds the content of the months, the zones and the problem's own files, the stores that are read and written, the
    gate's limits, the `params`, and the code. `trips` gives the source of each month, as `source_of` does.
    """
    inputs = {month: _content(settings, dataset, month, source) for month, source in trips.items()}
    inputs["zones"] = storage.etag(zones.table_uri(settings.lake_uri)) or ""
    inputs["problem"] = provenance.sha256_files(catalog.own_files(problem))
    parameters = {
        **params,
        "dataset": dataset,
        "problem": catalog.find(problem).name,
        "stores": [_absolute(uri) for uri in (settings.lake_uri, settings.artifacts_uri)],
        "gate": {name: getattr(settings, name) for name in type(settings).model_fields if name.startswith("gate_")},
    }
    return provenance.run_key("pipeline", inputs, parameters)


def source_of(settings: Settings, dataset: str, month: str, source: str) -> str:
    """Return where a month comes from: a file that is named, the lake, or the publisher."""
    if months.is_synthetic(dataset):
        return months.IN_LAKE
    return source or tlc.month_url(settings.tlc_url, settings.uber_url, dataset, month)


def _content(settings: Settings, dataset: str, month: str, source: str) -> str:
    """Return the key of a month's ingestion: of its file and of the rules in force."""
    if source == months.IN_LAKE:
        return str(months.manifest(settings, dataset, month)["run_key"])
    with sources.local_copy(settings, source) as copy:
        return ingest.run_key(copy.sha256, dataset=dataset, month=month)


def _absolute(uri: str) -> str:
    return uri if "://" in uri else str(Path(uri).resolve())

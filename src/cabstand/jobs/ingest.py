"""Ingest: one month of trips, from a file of any era into the lake, with bad rows quarantined with a reason."""

from __future__ import annotations

import logging
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cabstand import log, tlc
from cabstand.errors import ConfigError, suggest
from cabstand.io import download, lake, provenance, sources, synthetic
from cabstand.settings import Settings
from cabstand.trips import eras, readers
from cabstand.trips.clean import Contract, TripBounds
from cabstand.trips.columns import BY_ALIAS, Named
from cabstand.trips.quarantine import Balance, write_month
from cabstand.trips.raw import Limits
from cabstand.trips.schema import SCHEMA_VERSION

logger = logging.getLogger(__name__)

READER = "2"  # of run keys: raised whenever the same file is read to other trips

RESULT = (
    "dataset", "month", "source", "sha256", "era", "rows_in", "rows_out", "rows_quarantined", "quarantined_by_reason",
    "columns_unknown", "times_converted", "crs", "synthetic",
)  # fmt: skip


@dataclass(frozen=True)
class Params:
    """What to ingest; the fields are the options of `cabstand ingest`."""

    dataset: str
    month: str
    source: str = ""
    dry_run: bool = False
    refresh: bool = False
    named: Named = BY_ALIAS


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Ingest one month and return its manifest and addresses."""
    check_month(params.month)
    check_dataset(params.dataset)
    month = lake.Month(settings.lake_uri, params.dataset, params.month)
    uri = params.source or tlc.month_url(settings.tlc_url, settings.uber_url, params.dataset, params.month)
    synthetic.require(settings, False, f"{params.dataset} {params.month}")
    if params.dry_run:
        shown = download.public(uri) if sources.is_web(uri) else uri
        return {"dry_run": True, "dataset": params.dataset, "month": params.month, "source": shown} | month.addresses
    with sources.local_copy(settings, uri, refresh=params.refresh) as copy:
        key = run_key(copy.sha256, dataset=params.dataset, month=params.month, reader=READER, **params.named.parameters)
        manifest = None if params.refresh else lake.find_manifest(month, key)
        repeated = manifest is not None
        if manifest is None:
            limits = Limits(max_rows=settings.ingest_max_rows)
            source = readers.open_trips(copy.path, params.dataset, name=copy.name, limits=limits, named=params.named)
            manifest = lake.publish(month, lambda *paths: (_make(source, copy, params, key, *paths), {}))
    return result(month, manifest) | {"repeated": repeated}


def result(month: lake.Month, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job's result from a month's manifest: some of its entries, and the addresses of its files."""
    return {name: value for name, value in manifest.items() if name in RESULT} | month.addresses


def check_dataset(dataset: str) -> None:
    """Raise a ConfigError unless a data set of this name is published."""
    if dataset not in eras.DATASETS:
        raise ConfigError(f"unknown dataset {dataset[:40]!r}", where="--dataset", hint=suggest(dataset, eras.DATASETS))


def check_month(month: str) -> None:
    """Raise a ConfigError unless `month` is YYYY-MM."""
    if not re.fullmatch(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])", month, re.ASCII):
        raise ConfigError(f"not a month: {month[:40]!r}", where="--month", hint="write YYYY-MM, such as 2024-01")


def run_key(sha256: str, **facts: str) -> str:
    """Return the run key: the same for the same input, parameters, bounds and release.

    It holds the release and not a hash of the source, so that a change elsewhere does not redo years of months.
    """
    params = {**facts, "rules": asdict(TripBounds()), "schema_version": SCHEMA_VERSION}
    return provenance.run_key("ingest", {"input": sha256}, params, version("cabstand"))


def manifest_of(balance: Balance, key: str, **facts: Any) -> dict[str, Any]:
    """Return a month's manifest: `facts`, row counts, bounds, run key and versions."""
    return facts | {
        "rows_in": balance.rows_in,
        "rows_out": balance.rows_out,
        "rows_quarantined": balance.rows_quarantined,
        "quarantined_by_reason": dict(sorted(balance.by_reason.items())),
        "rules": asdict(TripBounds()),
        "run_key": key,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("cabstand", "pyarrow", "numpy")},
    }


def _make(
    source: readers.Source, copy: sources.LocalCopy, params: Params, key: str, trips: Path, quarantine: Path
) -> dict[str, Any]:
    if source.era.unknown:
        logger.warning("%s: unknown columns left out: %s", copy.name, ", ".join(source.era.unknown))
    with log.progress(f"ingest {params.dataset} {params.month}", source.file.n_rows) as advance:
        balance = write_month(
            source.batches(),
            trips,
            quarantine,
            contract=Contract(source.era.needed, params.month, refuse_duplicates=params.dataset != "uber"),
            facts={"run_key": key, "dataset": params.dataset, "month": params.month},
            advance=advance,
        )
    for name, zones in source.times_converted.items():
        logger.warning("%s: times of %s converted from %s", copy.name, name, zones)
    return manifest_of(
        balance,
        key,
        dataset=params.dataset,
        month=params.month,
        source=copy.name,
        sha256=copy.sha256,
        era=source.era.name,
        columns=source.era.columns,
        columns_ignored=list(source.era.ignored),
        columns_unknown=list(source.era.unknown),
        times_converted=source.times_converted,
        crs=source.crs,
        synthetic=False,
    )

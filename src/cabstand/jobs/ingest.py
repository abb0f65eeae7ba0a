"""Ingest: one month of trips from a file of any era into the lake, bad rows put aside with a reason each."""

from __future__ import annotations

import logging
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cabstand import log
from cabstand.errors import ConfigError, suggest
from cabstand.io import download, lake, provenance, sources, tlc
from cabstand.settings import Settings
from cabstand.trips import eras, readers
from cabstand.trips.balance import Contract, write_month
from cabstand.trips.clean import Rules
from cabstand.trips.schema import SCHEMA_VERSION

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """What to ingest.

    Attributes
    ----------
    dataset : str
        `yellow`, `green` or `uber`.
    month : str
        YYYY-MM.
    source : str
        URI or path of the file; empty downloads it from the TLC's distribution.
    dry_run : bool
        Say what would be done, and do nothing.
    refresh : bool
        Download and ingest even what is there already.
    """

    dataset: str
    month: str
    source: str = ""
    dry_run: bool = False
    refresh: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Ingest one month and return its manifest and addresses.

    Raises
    ------
    ConfigError
        If data set or month is not one.
    DataError
        If the file is not of trip records, truncated, without rows to keep, or lacks a needed column.
    StorageError
        If the source cannot be fetched or the lake not written.
    """
    check_month(params.month)
    check_dataset(params.dataset)
    month = lake.Month(settings.lake_uri, params.dataset, params.month)
    uri = params.source or tlc.month_url(settings.tlc_url, settings.uber_url, params.dataset, params.month)
    if params.dry_run:
        return {"dry_run": True, "dataset": params.dataset, "month": params.month, "source": _shown(uri)} | addresses(
            month
        )
    with sources.local_copy(settings, uri, refresh=params.refresh) as copy:
        key = run_key(copy.sha256, dataset=params.dataset, month=params.month)
        manifest = None if params.refresh else lake.find_manifest(month, key)
        repeated = manifest is not None
        if manifest is None:
            limits = readers.Limits(max_rows=settings.ingest_max_rows)
            source = readers.open_trips(copy.path, params.dataset, name=copy.name, limits=limits)
            manifest = lake.publish(month, lambda *paths: lake.Made(_make(source, copy, params, key, *paths)))
    return {key: value for key, value in manifest.items() if key in RESULT} | addresses(month) | {"repeated": repeated}


RESULT = (
    "dataset", "month", "source", "sha256", "era", "rows_in", "rows_out", "rows_quarantined", "quarantined_by_reason",
    "columns_unknown", "synthetic",
)  # fmt: skip


def addresses(month: lake.Month) -> dict[str, str]:
    """Return where a month's files stand, for a result."""
    return {
        "trips_uri": month.trips_uri,
        "quarantine_uri": month.quarantine_uri,
        "manifest_uri": month.manifest_uri,
    }


def check_month(month: str) -> None:
    """Refuse what is no YYYY-MM.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if not re.fullmatch(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])", month, re.ASCII):
        raise ConfigError(f"not a month: {month[:40]!r}", where="--month", hint="write YYYY-MM, as 2024-01")


def check_dataset(dataset: str) -> None:
    """Refuse what is no data set, with what was probably meant.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if dataset not in eras.DATASETS:
        raise ConfigError(f"no data set {dataset[:40]!r}", where="--dataset", hint=suggest(dataset, eras.DATASETS))


def run_key(sha256: str, **facts: str) -> str:
    """Return the name of this work: the same for the same input, parameters, rules and release.

    The release and not the source's hash: years of months are not made again for a change elsewhere.
    """
    settled = {**facts, "rules": asdict(Rules()), "schema_version": SCHEMA_VERSION}
    return provenance.run_key("ingest", {"input": sha256}, settled, version("cabstand"))


def versions() -> dict[str, str]:
    """Return the versions that a month was made with."""
    return {"python": platform.python_version()} | {name: version(name) for name in ("cabstand", "pyarrow", "numpy")}


def _make(
    source: readers.Source, copy: sources.LocalCopy, params: Params, key: str, trips: Path, quarantine: Path
) -> dict[str, Any]:
    if source.era.unknown:
        logger.warning("%s: unknown columns left out: %s", copy.name, ", ".join(source.era.unknown))
    with log.progress(f"ingest {params.dataset} {params.month}", source.n_rows) as advance:
        balance = write_month(
            source.batches(),
            trips,
            quarantine,
            contract=Contract(source.era.needed, params.month, refuse_duplicates=params.dataset != "uber"),
            facts={"run_key": key, "dataset": params.dataset, "month": params.month},
            advance=advance,
        )
    return {
        "dataset": params.dataset,
        "month": params.month,
        "source": copy.name,
        "sha256": copy.sha256,
        "era": source.era.name,
        "rows_in": balance.rows_in,
        "rows_out": balance.rows_out,
        "rows_quarantined": balance.rows_quarantined,
        "quarantined_by_reason": dict(sorted(balance.by_reason.items())),
        "columns": source.era.columns,
        "columns_ignored": list(source.era.ignored),
        "columns_unknown": list(source.era.unknown),
        "rules": asdict(Rules()),
        "run_key": key,
        "synthetic": False,
        "versions": versions(),
    }


def _shown(uri: str) -> str:
    return download.public(uri) if sources.is_web(uri) else uri

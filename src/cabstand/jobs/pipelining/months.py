"""The months that a pipeline reads: those that are named, or the newest complete ones."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from cabstand import tlc
from cabstand.errors import AbsentError, ConfigError, DataError, NothingToDo, StorageError, suggest
from cabstand.io import lake, sources, storage, synthetic
from cabstand.jobs import ingest
from cabstand.settings import Settings
from cabstand.trips.eras import DATASETS

IN_LAKE = "lake"  # as the source of a month: take the one that the lake has
LOOK_BACK = 12  # months for which a newer publication is looked for
logger = logging.getLogger(__name__)


def is_synthetic(dataset: str) -> bool:
    """Return whether a data set's months are made by `cabstand synth`, and downloaded from nowhere."""
    return dataset.startswith(synthetic.DATASET)


def newest(settings: Settings, dataset: str, n: int, today: date, *, fetch: bool) -> tuple[str, ...]:
    """Return the newest `n` complete months of a data set in the lake, earliest first.

    With `fetch`, months that the publisher has and the lake has not are ingested first. A month that is not over yet is
    never complete, except a synthetic one.
    """
    found = complete(settings, dataset)
    if not is_synthetic(dataset):
        last = _before(f"{today:%Y-%m}")
        found = [month for month in found if month <= last]
        if fetch:
            found = _up_to_date(settings, dataset, found, n, last)
    if len(found) < n:
        made_by = "cabstand synth" if is_synthetic(dataset) else "cabstand ingest"
        hint = f"--newest {len(found)} or " * bool(found) + f"`{made_by}` for more"
        raise ConfigError(f"{len(found)} complete months of {dataset}, not {n}", where=settings.lake_uri, hint=hint)
    return tuple(found[-n:])


def complete(settings: Settings, dataset: str) -> list[str]:
    """Return the complete months of a data set in the lake, earliest first."""
    return [one.month for one in lake.months(settings.lake_uri, dataset) if _rows(one) is not None]


def latest(settings: Settings, dataset: str, today: date) -> lake.Month:
    """Return the newest complete month of a data set, or of any if it is empty, that has trips and is over.

    NothingToDo if the lake has no trips at all yet, and ConfigError if it has, but no such month.
    """
    last = _before(f"{today:%Y-%m}")
    for one in reversed(lake.months(settings.lake_uri, dataset)):
        if (one.month <= last or is_synthetic(one.dataset)) and _rows(one):
            return one
    require_trips(settings, dataset)
    known = {one.dataset for one in lake.months(settings.lake_uri)}
    what = f"no complete month of {dataset}" if dataset else "no complete month"
    raise ConfigError(what, where=settings.lake_uri, hint=f"the lake has {', '.join(sorted(known)) or 'none'}")


def require_trips(settings: Settings, dataset: str) -> None:
    """Raise NothingToDo if the lake has no trips at all yet; ConfigError if there is no such data set to come."""
    if dataset and dataset not in DATASETS and not is_synthetic(dataset):
        raise ConfigError(f"unknown dataset {dataset[:40]!r}", hint=suggest(dataset, DATASETS))
    if not storage.list_under(storage.join(settings.lake_uri, "trips")):
        hint = "`cabstand ingest` or `cabstand pipeline` brings the first month"
        raise NothingToDo("the lake has no trips yet", where=settings.lake_uri, hint=hint)


def _rows(month: lake.Month) -> int | None:
    """Return the number of a month's good trips, or None if it is not complete."""
    try:
        return int(lake.read_manifest(month)["rows_out"])
    except (DataError, StorageError) as error:
        logger.warning("left out: %s", error)
        return None


def manifest(settings: Settings, dataset: str, month: str) -> dict[str, Any]:
    """Return the manifest of a month that must be complete in the lake."""
    where = lake.Month(settings.lake_uri, dataset, month)
    if not storage.exists(where.manifest_uri):
        command = "synth" if is_synthetic(dataset) else "ingest"
        raise ConfigError(
            "not in the lake", where=where.trips_uri, hint=f"`cabstand {command} --month {month}` makes it"
        )
    return lake.read_manifest(where)


def _up_to_date(settings: Settings, dataset: str, known: list[str], n: int, last: str) -> list[str]:
    """Return the complete months, with the newest `n` that are published ingested."""
    found, month = [], last
    for _ in range(LOOK_BACK + n):
        if month in known or _ingested(settings, dataset, month):
            found.append(month)
        if len(found) == n:
            break
        month = _before(month)
    return sorted({*known, *found})


def _ingested(settings: Settings, dataset: str, month: str) -> bool:
    """Ingest a month, and return whether it is published."""
    url = tlc.month_url(settings.tlc_url, settings.uber_url, dataset, month)
    try:
        with sources.local_copy(settings, url):
            pass
    except AbsentError:
        logger.info("%s %s is not published", dataset, month)
        return False
    except StorageError as error:
        hint = f"{error.hint}; " if error.hint else ""
        raise StorageError(error.what, where=url, hint=f"{hint}--no-fetch takes the months in the lake") from error
    ingest.run(settings, ingest.Params(dataset, month))
    return True


def _before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02d}"

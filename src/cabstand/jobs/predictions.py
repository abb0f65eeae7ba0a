"""Export the prediction log as Parquet, or delete one request's rows from it.

The log is this machine's, or the lines that the log subscription delivered to the lake (`predictions/date=.../`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from cabstand.errors import ConfigError, DataError
from cabstand.io import delivered, labels, storage
from cabstand.io.prediction_lines import Record
from cabstand.io.predictions import PredictionFiles
from cabstand.settings import Settings

META = ("request_id", "row", "at", "problem", "version", "role", "key", "latency_ms", "trace_id")
FEATURE, ANSWER = "feature.", "answer."
Source = Literal["local", "lake"]


@dataclass(frozen=True)
class Params:
    """What to export or delete; the fields are the options of `cabstand predictions`."""

    action: Literal["export", "delete"]
    source: Source = "local"
    problem: str = "trip-duration"
    since: str = ""  # days (UTC), `until` excluded; empty is no bound
    until: str = ""
    out: str = ""
    request_id: str = ""


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Export or delete predicted rows."""
    if params.action == "delete":
        return _delete(settings, params)
    records = read(settings, params.source, params.problem, params.since, params.until)
    out = params.out or storage.join(settings.lake_uri, "predictions-export", f"{params.problem}.parquet")
    return {"problem": params.problem, "n_rows": _write(records, out), "predictions_uri": out}


def read(settings: Settings, source: Source, problem: str, since: str = "", until: str = "") -> Iterator[Record]:
    """Yield the logged predictions of days (YYYY-MM-DD, UTC; `until` is excluded), of this machine or of the lake."""
    first, end = _day(since, ""), _day(until, "9999")
    return _lake(settings, problem, first, end) if source == "lake" else _local(settings).read(problem, first, end)


def _write(records: Iterable[Record], out: str) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_flat(record) | {"at": datetime.fromisoformat(record["at"])} for record in records]
    if not rows:
        raise DataError("no predictions of this problem in this time", hint="see --problem, --since and --source")
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        table = pa.table({name: [row.get(name) for row in rows] for name in names})
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError("a field changed its type within this time", hint="narrow it with --since") from error
    with storage.staged(out) as path:
        pq.write_table(table.replace_schema_metadata({"schema_version": "1"}), path)
    return len(rows)


def _flat(record: Record) -> dict[str, Any]:
    meta = {name: record[name] for name in META}
    features = {FEATURE + name: value for name, value in record["features"].items()}
    return meta | features | {ANSWER + name: value for name, value in _leaves(record["answer"])}


def _leaves(answer: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in answer.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", leaf) for inner, leaf in value.items())
        else:
            yield name, value


def once(records: Iterable[Record]) -> Iterator[Record]:
    """Yield each row of a request once: a log may be delivered twice."""
    seen: set[tuple[str, int]] = set()
    for one in records:
        key = (one["request_id"], one["row"])
        if key not in seen:
            seen.add(key)
            yield one


def _delete(settings: Settings, params: Params) -> dict[str, Any]:
    if not params.request_id.isalnum():
        raise ConfigError("not the request id of an answer", where="--request-id")
    n_labels = labels.delete(settings.lake_uri, params.request_id)
    if params.source == "local":
        n_deleted = _local(settings).delete(params.request_id)
        return {"request_id": params.request_id, "n_deleted": n_deleted, "n_labels_deleted": n_labels}
    n_deleted = 0
    for uri in storage.list_under(storage.join(settings.lake_uri, "predictions")):
        data, tag = storage.read_tagged(uri)
        content, n_rows = delivered.without(data, params.request_id, uri)
        if n_rows:
            storage.put_if(uri, content, tag)
            n_deleted += n_rows
    return {"request_id": params.request_id, "n_deleted": n_deleted, "n_labels_deleted": n_labels}


def _lake(settings: Settings, problem: str, since: str, until: str) -> Iterator[Record]:
    for uri in storage.list_under(storage.join(settings.lake_uri, "predictions")):
        _, marked, rest = uri.partition("/date=")
        # The folder is the day of delivery: that of the prediction, or the one after.
        if marked and rest[:10] < since:
            continue
        for record in delivered.read(storage.read(uri), uri):
            if record["problem"] == problem and since <= record["at"] < until:
                yield record


def _day(text: str, default: str) -> str:
    if not text:
        return default
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ConfigError(f"not a date: {text}", hint="write it like 2023-03-01") from error


def _local(settings: Settings) -> PredictionFiles:
    return PredictionFiles(settings.home / "predictions")

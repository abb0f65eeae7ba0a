"""Labels of logged predictions: what came true, one Parquet file for each day of prediction (UTC) in the lake.

A file is replaced by a conditional write, so that two joins at once keep each other's rows.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.errors import DataError
from cabstand.io import storage
from cabstand.io.conflicts import until_written

SCHEMA: pa.Schema = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("at", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("truth", pa.float64(), nullable=False),
        pa.field("predicted", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("matched_by", pa.string(), nullable=False),
    ],
    metadata={"schema_version": "1"},
)
Label = dict[str, Any]
Key = tuple[str, int]


def folder(lake: str, problem: str) -> str:
    """Return the URI of a problem's labels."""
    return storage.join(lake, "monitoring", problem, "labels")


def read(lake: str, problem: str, since: str = "", until: str = "9999") -> dict[Key, Label]:
    """Return the labels of predictions from one time to before another (ISO 8601, UTC), by request id and row."""
    found: dict[Key, Label] = {}
    for uri in storage.list_under(folder(lake, problem)):
        day = uri.rpartition("/")[2].removesuffix(".parquet")
        if since[:10] <= day <= until[:10]:
            found |= {key: one for key, one in _parse(storage.read(uri), uri).items() if since <= one["at"] < until}
    return found


def add(lake: str, problem: str, new: list[Label]) -> None:
    """Put labels beside those that are there; one for the same row of a request replaces the earlier one."""
    by_day: dict[str, dict[Key, Label]] = {}
    for one in new:
        by_day.setdefault(one["at"][:10], {})[_key(one)] = one
    for day, labels in sorted(by_day.items()):
        _change(storage.join(folder(lake, problem), f"{day}.parquet"), partial(_with, labels))


def _with(new: dict[Key, Label], old: dict[Key, Label]) -> dict[Key, Label]:
    return old | new


def delete(lake: str, request_id: str) -> int:
    """Delete the labels of one request, and return their number."""
    n_deleted = 0
    for uri in storage.list_under(storage.join(lake, "monitoring")):
        if uri.split("/")[-2] != "labels":
            continue
        old, new = _change(uri, lambda old: {key: one for key, one in old.items() if key[0] != request_id})
        n_deleted += old - new
    return n_deleted


@until_written
def _change(uri: str, change: Callable[[dict[Key, Label]], dict[Key, Label]]) -> tuple[int, int]:
    """Change a file's labels unless that changes nothing; return their number before and after."""
    data, tag = storage.read_tagged(uri) if storage.exists(uri) else (b"", None)
    old = _parse(data, uri) if tag else {}
    new = change(old)
    if new != old:
        storage.put_if(uri, _to_bytes(new), tag)
    return len(old), len(new)


def _key(label: Label) -> Key:
    return label["request_id"], label["row"]


def _to_bytes(labels: dict[Key, Label]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([labels[key] for key in sorted(labels)], SCHEMA), out)
    return out.getvalue()


def _parse(data: bytes, uri: str) -> dict[Key, Label]:
    try:
        table = pq.read_table(io.BytesIO(data), schema=SCHEMA)
    except (pa.ArrowException, OSError) as error:
        raise DataError("not a file of labels", where=uri, hint="remove it and join again") from error
    return {_key(one): one for one in table.to_pylist()}

"""Rows to monitor as files on this machine, so that each reader streams them in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.errors import DataError
from cabstand.io import storage, tables, zones
from cabstand.io.labels import Key, Label
from cabstand.io.prediction_lines import Record
from cabstand.jobs import predictions
from cabstand.jobs.monitoring.judged import HIGH, LABEL, LOW, PREDICTION, TARGET, TIME, Judged
from cabstand.modelling.fields import columns_of
from cabstand.monitoring.profiles import Batches

BATCH_ROWS = 50_000


def of_tables(stack: ExitStack, uri: str) -> Batches:
    """Return the rows of Parquet files that a URI, a glob or a folder names; `stack` removes the copies."""
    return of_files([stack.enter_context(storage.fetched(one)) for one in tables.expand(uri)])


def of_files(paths: Sequence[Path]) -> Batches:
    """Return the rows of local Parquet files; columns that not all of them have are missing in the others."""
    schemas = [_schema(path) for path in paths]
    fields = {field.name: field for schema in reversed(schemas) for field in schema}

    def read() -> Iterator[pa.RecordBatch]:
        for path in paths:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(BATCH_ROWS)

    return Batches(pa.schema(list(fields.values())), read)


def only(batches: Batches, names: Sequence[str]) -> Batches:
    """Return a stream with the columns of these names that it has."""
    kept = [name for name in batches.schema.names if name in names]
    schema = pa.schema([batches.schema.field(name) for name in kept])
    return Batches(schema, lambda: (one.select([name for name in kept if name in one.schema.names]) for one in batches))


def of_trips(stack: ExitStack, lake: str, judged: Judged, uri: str, path: Path) -> Batches:
    """Write the examples of files, with truth and prediction, to `path`, and return them.

    One file at a time is in memory.
    """
    extras = zones.extras(stack, lake, judged.problem.extras)

    def parts() -> Iterator[pa.Table]:
        for one in tables.expand(uri):
            with storage.fetched(one) as file:
                examples = judged.problem.load([file], extras)
            for first in range(0, len(examples), BATCH_ROWS):
                rows = examples.take(np.arange(first, min(first + BATCH_ROWS, len(examples))))
                columns = dict(rows.columns) | {TARGET: _truth(judged, rows.target)} | judged.answers(rows.columns)
                yield pa.table(columns if rows.time is None else columns | {TIME: rows.time})

    return _written(path, parts(), uri)


def of_predictions(
    judged: Judged, records: Iterable[Record], labelled: Mapping[Key, Label], path: Path, where: str
) -> Batches:
    """Write logged predictions of the version to `path`, and return them: fields, prediction, interval, time (UTC).

    With labels there is LABEL, too, NaN where a row has none. A row that is delivered twice counts once.
    """
    rows = predictions.once(one for one in records if one["version"] == judged.manifest.version)

    def parts() -> Iterator[pa.Table]:
        while some := list(islice(rows, BATCH_ROWS)):
            columns: dict[str, Any] = columns_of(judged.manifest.fields, [one["features"] for one in some])
            names = {PREDICTION: judged.manifest.target["name"], LOW: LOW, HIGH: HIGH}
            for name, answered in names.items():
                if answered in some[0]["answer"]:
                    columns[name] = pa.array([one["answer"].get(answered) for one in some])
            if labelled:
                known = (labelled.get((one["request_id"], one["row"]), {}) for one in some)
                columns[LABEL] = np.array([one.get("truth", np.nan) for one in known])
            at = [np.datetime64(one["at"].removesuffix("Z").partition("+")[0], "s") for one in some]
            yield pa.table(columns | {TIME: np.array(at)})

    return _written(path, parts(), where)


def _truth(judged: Judged, target: Any) -> Any:
    return np.asarray(judged.problem.target.classes)[target] if judged.problem.task == "classification" else target


def _written(path: Path, parts: Iterator[pa.Table], where: str) -> Batches:
    first = next(parts, None)
    if first is None:
        raise DataError("no rows to monitor", where=where, hint="see --problem, --version and the dates")
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part.cast(first.schema))
    return of_files([path])


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"not a readable Parquet file: {str(error)[:100]}", where=path) from error

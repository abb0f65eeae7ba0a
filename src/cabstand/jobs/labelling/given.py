"""The truth as a caller gives it: a file with the request id that each answer carried."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from cabstand.errors import DataError
from cabstand.io import storage
from cabstand.io.labels import Key

TRUTH = "truth"


def read(uri: str, target: str) -> dict[Key, float]:
    """Return the truth of rows by request id and row, from CSV or Parquet.

    Columns: request_id; row, the index in the request, 0 if the file has no such column; `truth`, or the target's name.
    """
    with storage.fetched(uri) as path:
        table = _table(path, uri)
    column = next((name for name in (TRUTH, target) if name in table.column_names), None)
    if column is None or "request_id" not in table.column_names:
        missing = "request_id" if column else f"{TRUTH} or {target}"
        raise DataError(f"no column {missing}", where=uri, hint=f"columns: request_id, row, {target}")
    try:
        values = table[column].cast(pa.float64()).to_numpy()
        rows = table["row"].cast(pa.int64()).to_pylist() if "row" in table.column_names else [0] * len(table)
    except pa.ArrowException as error:
        raise DataError(f"not numbers: {str(error)[:80]}", where=uri) from error
    if not np.isfinite(values).all():
        raise DataError(f"row {int(np.argmin(np.isfinite(values)))} has no finite {column}", where=uri)
    keys = zip(map(str, table["request_id"].to_pylist()), rows, strict=True)
    found = dict(zip(keys, values.tolist(), strict=True))
    if len(found) < len(table):
        raise DataError("names a row of a request twice", where=uri, hint="give each its own `row`")
    return found


def _table(path: Path, uri: str) -> pa.Table:
    try:
        if path.read_bytes()[:4] == b"PAR1":
            return pq.read_table(path)
        options = pyarrow.csv.ConvertOptions(column_types={"request_id": pa.string()})
        return pyarrow.csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"neither CSV nor Parquet: {str(error)[:80]}", where=uri) from error

"""A published table of measurements, as Parquet and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from cabstand.clustering.marks import Marks, to_metadata

PARQUET, CSV = "table.parquet", "table.csv"


def write(folder: Path, rows: list[dict[str, Any]], schema_version: int, marks: Marks) -> None:
    """Write rows with the same keys, in that order, as both files; the Parquet file carries the marks."""
    table = pa.Table.from_pylist(rows)
    metadata = {b"schema_version": str(schema_version).encode(), **to_metadata(marks)}
    pq.write_table(table.replace_schema_metadata(metadata), folder / PARQUET)
    pyarrow.csv.write_csv(table, folder / CSV)

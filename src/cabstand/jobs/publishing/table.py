"""A published table of measurements, as Parquet and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

PARQUET, CSV = "table.parquet", "table.csv"


def write(folder: Path, rows: list[dict[str, Any]], schema_version: int) -> None:
    """Write rows with the same keys, in that order, as both files."""
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.replace_schema_metadata({"schema_version": str(schema_version)}), folder / PARQUET)
    pyarrow.csv.write_csv(table, folder / CSV)

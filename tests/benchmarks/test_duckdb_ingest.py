"""What ingest is measured against does the same: the same rules in SQL keep and refuse the same rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

HERE = Path(__file__).parent
ROWS = 30_000
MONTH = "2023-03"


def test_duckdb_keeps_and_refuses_the_same_rows(tmp_path: Path) -> None:
    source, out = tmp_path / "month.parquet", tmp_path / "duckdb"
    subprocess.run([sys.executable, HERE / "job_points.py", "month", str(ROWS), source, "0.001"], check=True)
    subprocess.run([sys.executable, HERE / "duckdb_ingest.py", source, MONTH, out], check=True)
    command = [sys.executable, "-m", "cabstand", "ingest", "--dataset", "yellow", "--month", MONTH, "--source", source]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert set(told["quarantined_by_reason"]) == {
        "distance_not_positive", "duplicate", "duration_not_positive", "stray_date"
    }  # fmt: skip
    for name, uri in (("trips", told["trips_uri"]), ("quarantine", told["quarantine_uri"])):
        theirs = pq.read_table(out / f"{name}.parquet")
        ours = pq.read_table(uri).select(theirs.column_names).sort_by("row")
        assert ours.num_rows > 0
        assert ours.to_pylist() == theirs.to_pylist()

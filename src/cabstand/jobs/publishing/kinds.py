"""The kinds of results of comparisons and sweeps, apart from their jobs: a report reads them and needs no engine."""

from __future__ import annotations

from cabstand.jobs.publishing import table
from cabstand.jobs.publishing.once import Kind

TABLES = (table.PARQUET, table.CSV)
COMPARISON = Kind("compare", "comparison", "comparisons", manifest="comparison.json", artifacts=TABLES)
SWEEP = Kind("sweep", "sweep", "sweeps", manifest="sweep.json", artifacts=TABLES)

"""A month of yellow trips by DuckDB: ``python duckdb_ingest.py SOURCE MONTH OUT [THREADS]``.

The rules of `cabstand ingest` in SQL: what `cabstand.trips.clean` refuses in a file of the zones' era, and rows that
equal an earlier one. It writes the same two tables, without the hashes, manifests and checks of the real job.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

RULES = """
CREATE TEMP TABLE found AS
WITH given AS (
  SELECT tpep_pickup_datetime AS pickup_at, tpep_dropoff_datetime AS dropoff_at,
         CAST(PULocationID AS INTEGER) AS pickup_zone, CAST(DOLocationID AS INTEGER) AS dropoff_zone,
         trip_distance * 1.609344 AS distance_km, CAST(passenger_count AS SMALLINT) AS passengers,
         fare_amount AS fare_usd, total_amount AS total_usd, file_row_number AS "row",
         epoch(tpep_dropoff_datetime - tpep_pickup_datetime) / 3600 AS hours
  FROM read_parquet('{source}', file_row_number = true)
), judged AS (
  SELECT *, CASE
    WHEN pickup_at IS NULL OR dropoff_at IS NULL THEN 'time_missing'
    WHEN NOT (pickup_at >= DATE '{month}-01' AND pickup_at < DATE '{month}-01' + INTERVAL 1 MONTH) THEN 'stray_date'
    WHEN pickup_zone IS NULL OR dropoff_zone IS NULL THEN 'location_missing'
    WHEN NOT (pickup_zone BETWEEN 1 AND 265 AND dropoff_zone BETWEEN 1 AND 265) THEN 'location_unknown'
    WHEN hours <= 0 THEN 'duration_not_positive'
    WHEN hours > 6 THEN 'duration_absurd'
    WHEN distance_km IS NULL OR isnan(distance_km) THEN 'distance_missing'
    WHEN distance_km <= 0 THEN 'distance_not_positive'
    WHEN distance_km > 300 THEN 'distance_absurd'
    WHEN distance_km > hours * 200 THEN 'speed_absurd'
  END AS reason FROM given
)
SELECT * EXCLUDE (hours) FROM judged;
"""
FIRST = """
CREATE TEMP TABLE kept AS
SELECT min("row") AS "row" FROM found WHERE reason IS NULL
GROUP BY pickup_at, dropoff_at, pickup_zone, dropoff_zone, distance_km, passengers, fare_usd, total_usd;
"""
WRITE = """
COPY (SELECT * EXCLUDE (reason) FROM found SEMI JOIN kept USING ("row") ORDER BY "row")
TO '{out}/trips.parquet' (FORMAT parquet, COMPRESSION zstd);
COPY (SELECT * REPLACE (coalesce(reason, 'duplicate') AS reason) FROM found ANTI JOIN kept USING ("row") ORDER BY "row")
TO '{out}/quarantine.parquet' (FORMAT parquet, COMPRESSION zstd);
"""


def main(source: str, month: str, out: str, threads: str = "1") -> None:
    """Write good rows and quarantined ones to two files of a folder."""
    Path(out).mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": threads}) as connection:
        for text in (RULES, FIRST, WRITE):
            connection.execute(text.format(source=source, month=month, out=out))


if __name__ == "__main__":
    main(*sys.argv[1:])
